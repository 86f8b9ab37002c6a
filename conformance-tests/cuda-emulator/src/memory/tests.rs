use super::*;

fn kind(result: Result<(), Fault>) -> Option<FaultKind> {
    result.err().map(|fault| fault.kind)
}

#[test]
fn bytes_come_back() {
    let memory = Memory::new(1 << 20);
    let address = memory.allocate(10, "ten").unwrap();
    assert_eq!(address % 256, 0);
    memory.write(address, &[1, 2, 3, 4]).unwrap();
    memory.fill(address + 4, &[7, 8], 3).unwrap();
    let mut back = [0; 10];
    memory.read(address, &mut back).unwrap();
    assert_eq!(back, [1, 2, 3, 4, 7, 8, 7, 8, 7, 8]);
    memory.copy(address, address + 2, 6).unwrap();
    memory.read(address, &mut back).unwrap();
    assert_eq!(back, [1, 2, 1, 2, 3, 4, 7, 8, 7, 8]);
}

#[test]
fn a_long_fill_covers_every_byte() {
    let memory = Memory::new(1 << 20);
    let address = memory.allocate(30_000, "long").unwrap();
    memory.fill(address, &[1, 2, 3], 10_000).unwrap();
    let mut back = vec![0; 30_000];
    memory.read(address, &mut back).unwrap();
    assert!(back.iter().enumerate().all(|(index, &byte)| usize::from(byte) == index % 3 + 1));
}

#[test]
fn unwritten_bytes_are_found_where_they_are_read() {
    let memory = Memory::new(1 << 20);
    let [a, b] = ["a", "b"].map(|label| memory.allocate(16, label).unwrap());
    memory.write(a, &[0; 8]).unwrap();
    memory.copy(a, b, 16).unwrap();
    memory.read(b, &mut [0; 8]).unwrap();
    let fault = memory.read(b, &mut [0; 9]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Uninitialized);
    assert!(fault.message.contains("byte 8 of the 16 bytes"), "{fault}");
    assert!(memory.host_pointer(b, 16, Access::ReadWrite).is_err());
    memory.host_pointer(b, 16, Access::Write).unwrap();
    memory.host_pointer(b, 16, Access::Read).unwrap();
}

#[test]
fn ranges_must_lie_in_one_allocation() {
    let memory = Memory::new(1 << 20);
    let [a, b] = ["a", "b"].map(|label| memory.allocate(16, label).unwrap());
    assert!(b >= a + 16 + GAP);
    assert_eq!(kind(memory.write(a + 8, &[0; 9])), Some(FaultKind::IllegalAddress));
    assert_eq!(kind(memory.write(a + 16, &[0])), Some(FaultKind::IllegalAddress));
    assert_eq!(kind(memory.write(a - 1, &[0])), Some(FaultKind::IllegalAddress));
    assert_eq!(kind(memory.fill(a, &[0; 4], u64::MAX)), Some(FaultKind::IllegalAddress));
    assert_eq!(kind(memory.write(0, &[])), None);
    let fault = memory.write(a + 20, &[0]).unwrap_err();
    assert!(fault.message.contains("4 bytes past the end of the 16 bytes"), "{fault}");
}

#[test]
fn freed_memory_is_remembered() {
    let memory = Memory::new(1 << 20);
    let a = memory.allocate(16, "first").unwrap();
    memory.free(a).unwrap();
    assert_eq!(kind(memory.free(a)), Some(FaultKind::DoubleFree));
    assert_eq!(kind(memory.free(a + 1)), Some(FaultKind::IllegalAddress));
    assert_ne!(memory.allocate(16, "second"), Some(a));
    let fault = memory.write(a + 4, &[0]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::UseAfterFree);
    assert!(fault.message.contains("first"), "{fault}");
}

#[test]
fn sizes_are_counted() {
    let memory = Memory::new(100);
    let a = memory.allocate(60, "a").unwrap();
    assert_eq!(memory.allocate(60, "b"), None);
    assert_eq!(memory.live(), [(a, 60, "a".to_owned())]);
    assert_eq!(memory.containing(a + 59), Some((a, 60)));
    assert_eq!(memory.containing(a + 60), None);
    memory.free(a).unwrap();
    assert!(memory.allocate(10, "c").is_some());
    assert_eq!((memory.total(), memory.used(), memory.peak()), (100, 10, 60));
}
