const WORKGROUP = u32(WORKGROUP_SIZE); // lanes
