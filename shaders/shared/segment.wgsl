// A run of words in one binding that a dispatch works on. Places are counted from the start of a binding.
struct Segment {
  first: u32, // its first word
  count: u32, // how many words
  tile: u32,  // the number of its first tile in the dispatch
  piece: u32, // the number of its first piece in the caller's order
  into: u32,  // the first word of its destination
  slot: u32,  // which binding
  group: u32, // which of the norms, where there are several
  edges: u32, // see shared/unaligned.wgsl; 0 where it begins and ends with a word
}
