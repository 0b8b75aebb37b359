// What becomes of one group: 32 bytes, laid out as the beginning of the record.
struct Entry {
  scale: vec2u,
  flags: u32,
  norm: u32,
  fraction: u32,
  power: i32,
  nonFinite: u32,
  reserved: u32,
}
