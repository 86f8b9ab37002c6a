//! Huge pages for large blocks of fresh memory.
//!
//! A page of 2 MB is cleared and mapped in one go, and found by one entry of the processor's tables where 512
//! pages of 4 kB have as many. Linux gives them to those who ask (`madvise`), as NumPy does for its arrays. Where none
//! is free, though, it moves memory about at each first touch to make one, which takes several times as
//! long as small pages do: so it is asked only while plenty are free, as `/proc/buddyinfo` tells. When
//! other files have filled the page cache, there are none.

use std::ffi::c_void;
use std::sync::OnceLock;

use rustix::mm::{Advice, madvise};
use rustix::param::page_size;

/// Bytes of the smallest block that is worth the question, in huge pages: fewer would lose much of theirs at both
/// ends, where they are not aligned.
const SMALLEST: usize = 2;

/// How many times a block must be free in huge pages: others take memory at the same time, the page cache above all.
const TIMES_FREE: usize = 4;

/// Bytes that must be free in huge pages, however small the block is.
const LEAST_FREE: usize = 256 << 20;

/// Asks the system to map a block, which nobody has touched, in huge pages where it can.
pub(super) fn prefer_huge<T>(fresh: &mut [T]) {
    let bytes = size_of_val(fresh);
    let Some(huge) = size_of_huge() else { return };
    if bytes < SMALLEST * huge || free_in_huge(huge) < (TIMES_FREE * bytes).max(LEAST_FREE) {
        return;
    }
    let start = fresh.as_mut_ptr().cast::<u8>();
    let (skipped, length) = whole_pages(start.addr(), bytes, huge);
    if length > 0 {
        // Where it is refused, pages are small.
        // SAFETY: the range lies within `fresh`, which is borrowed exclusively, and `MADV_HUGEPAGE` changes
        // how memory is mapped, not what is in it.
        let _ = unsafe { madvise(start.add(skipped).cast::<c_void>(), length, Advice::LinuxHugepage) };
    }
}

/// The bytes before the first whole page of a block, and those of all whole pages.
fn whole_pages(address: usize, bytes: usize, page: usize) -> (usize, usize) {
    let skipped = address.next_multiple_of(page) - address;
    (skipped, bytes.saturating_sub(skipped) / page * page)
}

/// Bytes of a huge page, where the system has them.
fn size_of_huge() -> Option<usize> {
    static SIZE: OnceLock<Option<usize>> = OnceLock::new();
    *SIZE.get_or_init(|| {
        let size = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size").ok()?;
        size.trim().parse().ok().filter(|size: &usize| size.is_power_of_two() && *size >= page_size())
    })
}

/// Bytes that are free in blocks of at least a huge page.
fn free_in_huge(huge: usize) -> usize {
    let Ok(table) = std::fs::read_to_string("/proc/buddyinfo") else { return 0 };
    free_in_blocks(&table, huge / page_size()) * page_size()
}

/// Pages that are free in blocks of at least `least` pages, by the system's table: for each zone of memory a line with its
/// name and the number of free blocks of 1, 2, 4, ... pages (proc(5)).
fn free_in_blocks(table: &str, least: usize) -> usize {
    let of_a_zone = |line: &str| {
        let counts = line.split_whitespace().skip_while(|word| *word != "zone").skip(2);
        let of_a_size = |(order, count): (u32, &str)| {
            let pages = 1_usize.checked_shl(order).filter(|pages| *pages >= least)?;
            Some(pages.saturating_mul(count.parse().ok()?))
        };
        (0..).zip(counts).filter_map(of_a_size).fold(0, usize::saturating_add)
    };
    table.lines().map(of_a_zone).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_blocks_are_counted_in_pages() {
        let table = "Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3 \n\
                     Node 0, zone   Normal   5283   3391   1995   1804   1177    845    601    431    330    284   1163 \n";
        assert_eq!(free_in_blocks(table, 512), 512 + 3 * 1024 + 284 * 512 + 1163 * 1024);
        assert_eq!(free_in_blocks(table, 1024), (3 + 1163) * 1024);
        assert_eq!(free_in_blocks(table, 2048), 0);
        assert_eq!(free_in_blocks("Node 0, zone Normal 7 x 1\n", 1), 7 + 4);
        assert_eq!(free_in_blocks("something else\n\nzone\nzone Normal", 1), 0);
        let huge = format!("Node 0, zone Normal {}", format!("{} ", usize::MAX).repeat(99));
        assert_eq!(free_in_blocks(&huge, 1), usize::MAX);
    }

    #[test]
    fn only_whole_pages_are_asked_for() {
        assert_eq!(whole_pages(4096, 8192, 4096), (0, 8192));
        assert_eq!(whole_pages(4112, 12288, 4096), (4080, 8192));
        assert_eq!(whole_pages(4112, 4095, 4096), (4080, 0));
        assert_eq!(whole_pages(4112, 10, 4096), (4080, 0));
    }

    /// Of the mapping that an address lies in, the bytes in huge pages, and whether they are asked for.
    fn mapping(address: usize) -> Option<(usize, bool)> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let mut inside = false;
        let mut bytes = None;
        for line in maps.lines() {
            let range = line.split_whitespace().next()?.split_once('-');
            if let Some((start, end)) = range {
                let [start, end] = [start, end].map(|end| usize::from_str_radix(end, 16));
                inside = (start.ok()?..end.ok()?).contains(&address);
            } else if inside && let Some(rest) = line.strip_prefix("AnonHugePages:") {
                bytes = rest.trim().strip_suffix(" kB")?.parse::<usize>().ok();
            } else if inside && let Some(flags) = line.strip_prefix("VmFlags:") {
                return Some((bytes? << 10, flags.split_whitespace().any(|flag| flag == "hg")));
            }
        }
        None
    }

    #[test]
    fn large_blocks_are_in_huge_pages_while_plenty_are_free() {
        let Some(huge) = size_of_huge() else { return };
        let mut block = vec![0_u8; 16 * huge];
        let plenty = free_in_huge(huge) >= LEAST_FREE.max(TIMES_FREE * block.len());
        prefer_huge(&mut block);
        let middle = &mut block[8 * huge];
        *middle = 1;
        let Some((bytes, asked)) = mapping(std::ptr::from_mut(middle).addr()) else { return };
        assert_eq!(asked, plenty);
        assert!(plenty || bytes == 0);
    }
}
