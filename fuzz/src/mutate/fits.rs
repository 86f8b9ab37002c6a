//! Changes of FITS files: of cards, of blocks, of numbers in the data, and of what belongs together.

use super::{LONGEST, bytes, text};
use crate::random::Random;

/// Bytes of a block and of a card (FITS standard 4.0, sections 3.1 and 4.1.1).
const BLOCK: usize = 2880;
const CARD: usize = 80;

/// Keywords that say how the data lie.
const KEYWORDS: [&str; 58] = [
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "NAXIS4", "PCOUNT", "GCOUNT",
    "GROUPS", "TFIELDS", "THEAP", "BSCALE", "BZERO", "BLANK", "EXTNAME", "EXTVER", "INHERIT", "CONTINUE",
    "LONGSTRN", "END", "TTYPE1", "TTYPE2", "TFORM1", "TFORM2", "TFORM3", "TFORM4", "TFORM5", "TDIM1",
    "TDIM4", "TDIM5", "TSCAL1", "TZERO1", "TSCAL2", "TZERO2", "TNULL1", "TNULL2", "TBCOL1", "TBCOL2",
    "TUNIT1", "ZIMAGE", "ZBITPIX", "ZNAXIS", "ZNAXIS1", "ZNAXIS2", "ZTILE1", "ZTILE2", "ZCMPTYPE", "ZNAME1",
    "ZVAL1", "ZVAL2", "ZQUANTIZ", "ZBLANK", "ZSCALE", "ZTABLE", "DATASUM", "CHECKSUM",
];

/// Values that such keywords may have, and should not.
const VALUES: [&str; 74] = [
    "8",
    "16",
    "32",
    "64",
    "-32",
    "-64",
    "-8",
    "'IMAGE   '",
    "'BINTABLE'",
    "'TABLE   '",
    "'A3DTABLE'",
    "'IUEIMAGE'",
    "'D       '",
    "'1D'",
    "'0D'",
    "'2D'",
    "'E'",
    "'0E'",
    "'1000000000E'",
    "'J'",
    "'K'",
    "'I'",
    "'B'",
    "'1B'",
    "'L'",
    "'X'",
    "'9X'",
    "'A'",
    "'0A'",
    "'8A'",
    "'A8'",
    "'8A3'",
    "'8A0'",
    "'30000A'",
    "'999999999A'",
    "'C'",
    "'M'",
    "'1PE(9)'",
    "'1QD'",
    "'PB'",
    "'0PB'",
    "'2PJ(99999999)'",
    "'I4'",
    "'F8.3'",
    "'E15.7'",
    "'D25.17'",
    "'D999.0'",
    "'-1D'",
    "'1.5D'",
    "''",
    "'(3,2)'",
    "'(1,1)'",
    "'(0)'",
    "'(-1,-6)'",
    "'(6)'",
    "'(99999999999,99999999999)'",
    "'()'",
    "'(3,2'",
    "'(1,2,3,4,5,6,7,8,9,10)'",
    "'RICE_1'",
    "'GZIP_1'",
    "'GZIP_2'",
    "'HCOMPRESS_1'",
    "'PLIO_1'",
    "'NOCOMPRESS'",
    "'BYTEPIX'",
    "'BLOCKSIZE'",
    "'NOISEBIT'",
    "'NO_DITHER'",
    "'unterminated",
    "'it''s&'",
    "'ends in &'",
    "(1.0, 2.0)",
    "'electron s'",
];

/// Changes the file at some places, and then, mostly, makes lengths and sums agree again.
pub(super) fn change(file: &mut Vec<u8>, other: &[u8], changes: usize, words: &[&str], random: &mut Random) {
    for _ in 0..changes {
        match random.below(8) {
            0..=3 => change_header(file, words, random),
            4 | 5 => change_data(file, random),
            6 => change_blocks(file, other, random),
            _ if random.once_in(8) => bytes::change(file, other, random),
            _ => drop_sums(file),
        }
    }
    if random.once_in(2) {
        drop_sums(file);
    }
    if !random.once_in(3) {
        repair(file);
    }
}

/// Where headers begin.
fn headers(file: &[u8]) -> Vec<usize> {
    let starts = (0..file.len()).step_by(BLOCK);
    starts
        .filter(|&at| file[at..].starts_with(b"SIMPLE  =") || file[at..].starts_with(b"XTENSION="))
        .collect()
}

/// The cards of the header that begins at `start`, up to `END`, and where the data begin.
fn cards(file: &[u8], start: usize) -> (Vec<Vec<u8>>, usize) {
    let mut cards = Vec::new();
    for card in file[start..].chunks(CARD) {
        if card.starts_with(b"END ") {
            break;
        }
        cards.push(card.to_vec());
    }
    let end = start + ((cards.len() + 1) * CARD).next_multiple_of(BLOCK);
    (cards, end.min(file.len()))
}

fn keyword(card: &[u8]) -> &str {
    std::str::from_utf8(card.get(..8).unwrap_or_default()).unwrap_or_default().trim_end()
}

fn value(card: &[u8]) -> &str {
    let value = std::str::from_utf8(card.get(10..).unwrap_or_default()).unwrap_or_default();
    value.split('/').next().unwrap_or_default().trim()
}

/// A card, cut off at its end.
fn card(keyword: &str, value: &str) -> Vec<u8> {
    let text = if value.starts_with('\'') {
        format!("{keyword:<8}= {value:<20}")
    } else {
        format!("{keyword:<8}= {value:>20}")
    };
    let mut card = text.into_bytes();
    card.resize(CARD, b' ');
    card
}

fn change_header(file: &mut Vec<u8>, words: &[&str], random: &mut Random) {
    let headers = headers(file);
    let Some(&start) = headers.get(random.below(headers.len())) else { return };
    let (mut cards, data) = cards(file, start);
    if cards.is_empty() {
        return;
    }
    // The last one may end with the file.
    cards.iter_mut().for_each(|card| card.resize(CARD, b' '));
    // The first cards of a header are those that matter.
    let count = if random.once_in(2) { cards.len() } else { cards.len().min(12) };
    let at = random.below(count);
    let name = keyword(&cards[at]).to_owned();
    let any_keyword = |random: &mut Random| {
        let own: Vec<&str> = words.iter().copied().filter(|word| word.len() <= 8).collect();
        if own.is_empty() || random.once_in(2) { random.one_of(&KEYWORDS) } else { random.one_of(&own) }
    };
    let any_value = |random: &mut Random| -> String {
        match random.below(4) {
            0 | 1 => (*random.one_of(&VALUES)).to_owned(),
            2 => (*random.one_of(&text::VALUES)).to_owned(),
            _ if words.is_empty() => String::new(),
            _ => format!("'{}'", random.one_of(words)),
        }
    };
    match random.below(11) {
        0 | 1 => cards[at] = card(&name, &any_value(random)),
        2 | 3 => {
            let new = text::tweaked(value(&cards[at]).as_bytes(), random);
            cards[at] = card(&name, &String::from_utf8_lossy(&new));
        }
        4 => {
            let new = format!("{:<8}", any_keyword(random));
            cards[at][..new.len().min(CARD)].copy_from_slice(new.as_bytes());
        }
        5 => drop(cards.remove(at)),
        6 => cards.insert(at, cards[at].clone()),
        7 => {
            let to = random.below(cards.len());
            cards.swap(at, to);
        }
        8 => cards.insert(at, card(any_keyword(random), &any_value(random))),
        9 => drop(cards.splice(at..=at, long_text(&name, words, random))),
        _ => bytes::change(&mut cards[at], b"", random),
    }
    cards.iter_mut().for_each(|card| card.resize(CARD, b' '));
    let mut new = cards.concat();
    new.extend(format!("{:<CARD$}", "END").bytes());
    new.resize(new.len().next_multiple_of(BLOCK), b' ');
    drop(file.splice(start..data, new));
}

/// A text that goes on in the cards behind (FITS standard, section 4.2.1.2).
fn long_text(keyword: &str, words: &[&str], random: &mut Random) -> Vec<Vec<u8>> {
    let most = 1 << random.below(8);
    let cards = random.below(most) + 1;
    let word = if words.is_empty() { "" } else { random.one_of(words) };
    let mut card = |number: usize| {
        let start = if number == 0 { format!("{keyword:<8}= ") } else { format!("{:<10}", "CONTINUE") };
        let end = if number < cards || random.once_in(8) { "&'" } else { "'" };
        format!("{:<CARD$}", format!("{start}'{word:<65.65}{end}")).into_bytes()
    };
    (0..=cards).map(&mut card).collect()
}

fn change_data(file: &mut [u8], random: &mut Random) {
    let headers = headers(file);
    let which = random.below(headers.len());
    let Some(&start) = headers.get(which) else { return };
    let data = cards(file, start).1;
    let end = headers.get(which + 1).copied().unwrap_or(file.len());
    // What counts is at the start, what follows is filling.
    let reach = if random.once_in(2) { 64 } else { BLOCK };
    if let Some(data) = file.get_mut(data..end.min(data + reach)).filter(|data| !data.is_empty()) {
        bytes::number(data, random);
    }
}

fn change_blocks(file: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let blocks = file.len() / BLOCK;
    let at = random.below(blocks + 1) * BLOCK;
    let end = (at + BLOCK).min(file.len());
    match random.below(6) {
        0 => drop(file.drain(at..end)),
        1 => {
            let block = file[at..end].to_vec();
            bytes::insert(file, random.below(blocks + 1) * BLOCK, &block);
        }
        2 => bytes::insert(file, at, &[b" \0\xff"[random.below(3)]; BLOCK]),
        3 if random.once_in(4) => file.truncate(at + random.below(BLOCK)),
        _ => {
            // A whole part of another file.
            let theirs = headers(other);
            let which = random.below(theirs.len());
            let Some(&start) = theirs.get(which) else { return };
            let stop = theirs.get(which + 1).copied().unwrap_or(other.len());
            bytes::insert(file, at, &other[start..stop]);
        }
    }
}

/// Takes the names of the checksums away, so that they are not looked at.
fn drop_sums(file: &mut [u8]) {
    for start in headers(file) {
        let end = cards(file, start).1;
        for card in file[start..end].chunks_mut(CARD) {
            if matches!(keyword(card), "DATASUM" | "CHECKSUM") {
                card[0] = b'X';
            }
        }
    }
}

/// Gives each header the bytes of data that it declares.
fn repair(file: &mut Vec<u8>) {
    let starts = headers(file);
    let mut new = Vec::with_capacity(file.len());
    new.extend_from_slice(&file[..starts.first().copied().unwrap_or(file.len())]);
    for (which, &start) in starts.iter().enumerate() {
        let (cards, data) = cards(file, start);
        let end = starts.get(which + 1).copied().unwrap_or(file.len()).max(data);
        new.extend_from_slice(&file[start..data]);
        let mut content = file[data..end].to_vec();
        if let Some(length) = declared(&cards).filter(|&length| length <= LONGEST) {
            content.resize(length.next_multiple_of(BLOCK), 0);
        }
        new.extend(content);
    }
    *file = new;
}

/// Bytes of data that a header declares.
fn declared(cards: &[Vec<u8>]) -> Option<usize> {
    let number = |name: &str| {
        let card = cards.iter().find(|card| keyword(card) == name)?;
        value(card).parse::<i64>().ok()
    };
    let axes = usize::try_from(number("NAXIS")?).ok().filter(|&axes| axes <= 999)?;
    if axes == 0 {
        return Some(0);
    }
    let mut pixels = 1_usize;
    for axis in 1..=axes {
        pixels = pixels.checked_mul(usize::try_from(number(&format!("NAXIS{axis}"))?).ok()?)?;
    }
    let parameters = usize::try_from(number("PCOUNT").unwrap_or(0)).ok()?;
    let groups = usize::try_from(number("GCOUNT").unwrap_or(1)).ok()?;
    let size = usize::try_from(number("BITPIX")?.unsigned_abs() / 8).ok()?;
    pixels.checked_add(parameters)?.checked_mul(groups)?.checked_mul(size)
}
