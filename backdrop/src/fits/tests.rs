use std::path::Path;

use super::handmade::{Hdu, file_of};
use super::*;

/// Doubles whose bits a conversion might change: two NaN with payloads, one of them
/// signalling, both zeros and infinities, the smallest and the largest.
fn delicate() -> Vec<f64> {
    let bits = [0x7ff8_0000_dead_beef, 0x7ff0_0000_0000_0001, 0xfff8_0000_0000_0000, 1];
    let others = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 0.1];
    bits.into_iter().map(f64::from_bits).chain(others).collect()
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A file of ours: an image and two tables.
fn written() -> Vec<u8> {
    let mut file = Writer::new(Path::new("a.fits")).unwrap();
    file.image::<u8>("PRIMARY", &[], &[]).unwrap();
    file.text("WORD", "it's 5% of é", "").unwrap();
    file.text("LONG", &"0123456789".repeat(30), "over several cards").unwrap();
    file.integer("LARGE", u64::MAX, "").unwrap();
    file.real("REAL", 1325.313100604524, "").unwrap();
    file.image("IMAGE", &[2, 5], &delicate()).unwrap();
    let columns = [
        Column { name: "value", unit: "d", values: Values::F64(&delicate()[..3]) },
        Column { name: "count", unit: "", values: Values::I32(&[i32::MIN, -1, i32::MAX]) },
    ];
    file.table("TABLE", &columns).unwrap();
    file.text_table("TEXTS", "name", &["a b".into(), String::new(), "é".into()]).unwrap();
    file.image::<f64>("EMPTY", &[3, 0], &[]).unwrap();
    file.text_table("NOTHING", "name", &[]).unwrap();
    file.bytes().unwrap().to_vec()
}

#[test]
fn the_sum_of_long_data_is_checked_to_its_last_byte_in_memory_and_on_disk() {
    // Many of the parts that a file is read in, the last one not whole.
    let pixels: Vec<f64> = (0..300_000).map(|i| f64::from(i) * 1.1 - 1e5).collect();
    let mut file = Writer::new(Path::new("a.fits")).unwrap();
    file.image::<u8>("PRIMARY", &[], &[]).unwrap();
    file.image("LONG", &[300, 1000], &pixels).unwrap();
    let mut bytes = file.bytes().unwrap().to_vec();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.fits");
    let check = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        [Reader::open(&path).unwrap(), Reader::open_bytes(&path, bytes).unwrap()].map(|mut reader| {
            reader.select(1).unwrap();
            reader.check_sum().is_ok()
        })
    };
    assert_eq!(check(&bytes), [true; 2]);
    let start = bytes.windows(8).position(|window| window == pixels[0].to_be_bytes()).unwrap();
    for pixel in [0, 32_767, 32_768, 200_000, 299_999] {
        bytes[start + 8 * pixel + 7] ^= 1;
        assert_eq!(check(&bytes), [false; 2], "{pixel}");
        bytes[start + 8 * pixel + 7] ^= 1;
    }
}

#[test]
fn intact_pixels_are_those_that_cfitsio_reads_and_damaged_ones_are_refused() {
    /// Writes an image, reads it as `U` in both ways, and once more with its last pixel damaged.
    fn check<T: Number, U: Number + Default>(pixels: &[T]) {
        let mut file = Writer::new(Path::new("a.fits")).unwrap();
        file.image::<u8>("PRIMARY", &[], &[]).unwrap();
        file.image("IMAGE", &[1, pixels.len()], pixels).unwrap();
        let mut bytes = file.bytes().unwrap().to_vec();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.fits");
        std::fs::write(&path, &bytes).unwrap();
        let mut expected = vec![U::default(); pixels.len()];
        let mut reader = Reader::open(&path).unwrap();
        reader.select(1).unwrap();
        reader.pixels(0, None, &mut expected).unwrap();
        let intact = |mut reader: Reader| {
            reader.select(1).unwrap();
            let mut found = vec![U::default(); pixels.len()];
            reader.intact_pixels(&mut found).map(|()| found)
        };
        for found in [intact(reader), intact(Reader::open_bytes(&path, &bytes).unwrap())] {
            let found = found.unwrap();
            let bytes = [&found, &expected].map(|values| bytemuck::cast_slice::<U, u8>(values));
            assert!(bytes[0] == bytes[1], "{} pixels", pixels.len());
        }
        let Some(last) = pixels.len().checked_sub(1) else { return };
        let data = bytes.len() - size_of_val(pixels).next_multiple_of(BLOCK);
        bytes[data + last * size_of::<T>()] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        for found in
            [intact(Reader::open(&path).unwrap()), intact(Reader::open_bytes(&path, &bytes).unwrap())]
        {
            assert!(matches!(found, Err(Error::Checksum { hdu: 1, .. })));
        }
    }
    check::<f64, f64>(&delicate());
    // Several of the parts that are read at once, whole or not, and bytes that end within a word.
    for length in [0, 1, 32_768, 100_001] {
        let numbers = |i: usize| (i * 7919 % 100_003) as i32 - 50_000;
        check::<f64, f64>(&(0..length).map(|i| f64::from(numbers(i)) * 0.1).collect::<Vec<_>>());
        check::<f32, f32>(&(0..length).map(|i| numbers(i) as f32 * 0.1).collect::<Vec<_>>());
        check::<i32, i32>(&(0..length).map(numbers).collect::<Vec<_>>());
        check::<u8, u8>(&(0..3 * length).map(|i| numbers(i) as u8).collect::<Vec<_>>());
        // What CFITSIO has to convert.
        check::<f32, f64>(&(0..length).map(|i| numbers(i) as f32 * 0.1).collect::<Vec<_>>());
    }
}

#[test]
fn texts_with_quotes_come_back_however_many_cards_they_take() {
    let quotes = |count: usize| "'".repeat(count);
    let mut texts: Vec<String> = [1, 30, 33, 34, 35, 67, 68, 69, 70, 100, 1000].map(quotes).into();
    texts.extend((30..75).map(|length| "a".repeat(length) + "'&''"));
    texts.extend((30..75).map(|length| "'b".repeat(length) + "'&"));
    for text in &texts {
        let mut file = Writer::new(Path::new("a.fits")).unwrap();
        file.image::<u8>("PRIMARY", &[], &[]).unwrap();
        // New, and in place of another.
        for value in [text, "another", text] {
            file.text("WORD", value, "a comment").unwrap();
        }
        file.text("AFTER", "more", "").unwrap();
        let bytes = file.bytes().unwrap().to_vec();
        let file = Reader::open_bytes(Path::new("a.fits"), &bytes).unwrap();
        assert_eq!(decode(&file.text("WORD").unwrap()), *text);
        assert_eq!(file.text("AFTER").as_deref(), Some("more"));
    }
}

#[test]
fn what_is_written_is_read_to_the_last_bit() {
    let bytes = written();
    let mut file = Reader::open_bytes(Path::new("a.fits"), &bytes).unwrap();
    assert_eq!(file.hdus(), 6);
    file.select(0).unwrap();
    assert_eq!(file.text("WORD").as_deref(), Some("it's 5%25 of %C3%A9"));
    assert_eq!(file.text("LONG"), Some("0123456789".repeat(30)));
    assert_eq!(file.require::<u64>("LARGE").unwrap(), u64::MAX);
    assert_eq!(file.require::<f64>("REAL").unwrap(), 1325.313100604524);

    file.select(1).unwrap();
    assert_eq!(file.text("EXTNAME").as_deref(), Some("IMAGE"));
    let image = Image { shape: vec![2, 5], floating: true, compressed: false, plain_at: None };
    assert_eq!(file.image().unwrap(), Some(image));
    let mut pixels = vec![0.0; 10];
    file.pixels(0, None, &mut pixels).unwrap();
    assert_eq!(bits(&pixels), bits(&delicate()));

    file.select(2).unwrap();
    assert_eq!(file.image().unwrap(), None);
    assert_eq!(bits(&file.numbers("value").unwrap()), bits(&delicate()[..3]));
    assert_eq!(file.numbers::<i32>("COUNT").unwrap(), [i32::MIN, -1, i32::MAX]);
    file.select(3).unwrap();
    assert_eq!(file.texts("name").unwrap(), ["a b", "", "%C3%A9"]);
    file.select(4).unwrap();
    assert_eq!(file.image().unwrap().unwrap().shape, [3, 0]);
    file.select(5).unwrap();
    assert_eq!(file.texts("name").unwrap(), [""; 0]);
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    assert_eq!(written(), written());
}

/// The ones' complement sum of 32-bit words (FITS standard, appendix J.1).
fn ones_complement_sum(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    words.iter().fold(0_u32, |sum, word| {
        let (sum, carry) = sum.overflowing_add(u32::from_be_bytes(*word));
        sum + u32::from(carry)
    })
}

#[test]
fn every_hdu_has_a_right_checksum() {
    let bytes = written();
    let mut file = Reader::open_bytes(Path::new("a.fits"), &bytes).unwrap();
    let mut start = 0;
    for hdu in 0..6 {
        file.select(hdu).unwrap();
        let end = usize::try_from(file.end()).unwrap();
        // A right CHECKSUM makes the whole HDU sum to all ones, which is minus zero.
        assert_eq!(ones_complement_sum(&bytes[start..end]), u32::MAX, "HDU {hdu}");
        let end_card = (start..end).step_by(80).find(|&at| &bytes[at..at + 4] == b"END ").unwrap();
        let data = &bytes[start + (end_card - start).next_multiple_of(BLOCK)..end];
        let datasum: u32 = file.text("DATASUM").unwrap().parse().unwrap();
        assert_eq!(datasum, ones_complement_sum(data), "HDU {hdu}");
        start = end;
    }
    assert_eq!(start, bytes.len());
}

#[test]
fn values_are_scaled_and_undefined_ones_marked_as_the_header_says() {
    let stored: Vec<u8> = [-2_i16, 0, 3, -99].iter().flat_map(|value| value.to_be_bytes()).collect();
    let image =
        Hdu::image(16, &[2, 2], stored).card("BSCALE", "0.5").card("BZERO", "1.0D1").card("BLANK", -99);
    let bytes = file_of(&[Hdu::primary(), image]);
    let mut file = Reader::open_bytes(Path::new("a.fits"), &bytes).unwrap();
    file.select(1).unwrap();
    assert!(!file.image().unwrap().unwrap().floating);
    let mut pixels = [0.0_f32; 4];
    file.pixels(0, Some(f32::NAN), &mut pixels).unwrap();
    assert_eq!(pixels[..3], [9.0, 10.0, 11.5]);
    assert!(pixels[3].is_nan());
    let mut last = [0.0_f32; 2];
    file.pixels(1, Some(f32::NAN), &mut last).unwrap();
    assert_eq!(last, [10.0, 11.5]);
    assert_eq!(file.number::<f64>("BZERO"), Some(10.0));
}

#[test]
fn keywords_of_another_type_are_as_good_as_missing() {
    let primary = Hdu::primary().card("WORD", "'abc'").card("REAL", 1.5).card("FLAG", "T").card("EMPTY", "");
    let bytes = file_of(&[primary]);
    let file = Reader::open_bytes(Path::new("dir/a.fits"), &bytes).unwrap();
    assert_eq!(file.number::<u32>("WORD"), None);
    assert_eq!(file.number::<u32>("REAL"), None);
    assert_eq!(file.number::<f64>("REAL"), Some(1.5));
    assert_eq!(file.number::<f64>("FLAG"), None);
    assert_eq!(file.number::<u32>("EMPTY"), None);
    assert_eq!(file.text("ABSENT"), None);
    let error = file.require::<u32>("REAL").unwrap_err().to_string();
    assert_eq!(error, "dir/a.fits: HDU 0 has no usable keyword REAL");
}

#[test]
fn file_names_are_taken_literally() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = file_of(&[Hdu::primary().card("CAMERA", 3)]);
    for name in ["a[1].fits", "a+1", "a(b).fits", "a[col x=y]", "!a", "~a", " a ", "é", "-", "mem:", "a.gz"]
    {
        let path = dir.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Reader::open(&path).unwrap().require::<u8>("CAMERA").unwrap(), 3, "{name:?}");
    }
    // CFITSIO would look for a compressed file beside a missing one.
    let error = Reader::open(&dir.path().join("a")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
fn a_name_that_cfitsio_would_expand_is_made_harmless() {
    assert_eq!(read::literal_name(Path::new("~root/a")).unwrap().to_str(), Ok("./~root/a"));
    assert_eq!(read::literal_name(Path::new(" a")).unwrap().to_str(), Ok("./ a"));
    assert_eq!(read::literal_name(Path::new("/ a")).unwrap().to_str(), Ok("/ a"));
    assert!(read::literal_name(Path::new("a\0b")).is_err());
}

#[test]
fn a_long_path_is_an_error_or_works_but_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let mut path = dir.path().to_owned();
    for _ in 0..10 {
        path.push("d".repeat(200));
    }
    std::fs::create_dir_all(&path).unwrap();
    path.push("a.fits");
    std::fs::write(&path, file_of(&[Hdu::primary()])).unwrap();
    let error = Reader::open(&path).unwrap_err();
    assert!(matches!(error, Error::Fits { .. }), "{error}");
}

#[test]
fn what_is_no_fits_file_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.fits");
    for content in ["SIMPL", "hello, world", "SIMPLE  : T"] {
        std::fs::write(&path, content).unwrap();
        let error = Reader::open(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{}: not a FITS file: it does not begin with SIMPLE", path.display()));
    }
    std::fs::write(&path, "").unwrap();
    let error = Reader::open(&path).unwrap_err().to_string();
    assert_eq!(error, format!("{}: the file is empty; download or copy it again", path.display()));
    let error = Reader::open(dir.path()).unwrap_err().to_string();
    assert_eq!(error, format!("{}: not a regular file", dir.path().display()));
}

#[test]
fn a_file_cut_anywhere_is_found_to_be() {
    let pixels = vec![0; 4 * 30 * 40];
    let image = Hdu::image(-32, &[30, 40], pixels);
    let bytes = file_of(&[Hdu::primary(), image.clone(), image]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.fits");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(Reader::open(&path).unwrap().hdus(), 3);
    // Every block's first and last byte, and some places in between. A file that ends
    // with an HDU is whole, as far as one can tell.
    let hdu_ends = [BLOCK, BLOCK + BLOCK + 2 * BLOCK];
    let ends = (0..bytes.len()).filter(|end| [0, 1, 80, 1234, 2879].contains(&(end % BLOCK)));
    for end in ends {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let result = Reader::open(&path);
        assert_eq!(result.is_ok(), hdu_ends.contains(&end), "{end} bytes: {result:?}");
    }
    std::fs::write(&path, &bytes[..4 * BLOCK - 1]).unwrap();
    let error = Reader::open(&path).unwrap_err().to_string();
    let (declared, actual) = (4 * BLOCK, 4 * BLOCK - 1);
    let expected = format!(
        "{}: truncated: it has {actual} bytes, but its headers declare {declared}; download or copy it again",
        path.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn impossible_sizes_are_refused() {
    let huge = i64::MAX;
    for (width, height) in [(huge, huge), (huge, 1), (1 << 32, 1 << 32), (1, 1 << 40), (-5, 5)] {
        let image = Hdu::image(-64, &[1, 1], vec![0; 8]).set("NAXIS1", width).set("NAXIS2", height);
        let bytes = file_of(&[Hdu::primary(), image]);
        let error = Reader::open_bytes(Path::new("a.fits"), &bytes).unwrap_err();
        assert!(matches!(error, Error::Truncated { .. } | Error::Fits { .. }), "{error}");
    }
}

#[test]
fn tables_of_another_form_are_refused() {
    let bytes = written();
    let mut file = Reader::open_bytes(Path::new("a.fits"), &bytes).unwrap();
    file.select(2).unwrap();
    let error = file.numbers::<f64>("absent").unwrap_err().to_string();
    assert!(error.starts_with("a.fits: cannot find column absent of HDU 2: "), "{error}");
    let error = file.texts("value").unwrap_err().to_string();
    assert_eq!(error, "a.fits: HDU 2: column value holds no text");
    file.select(3).unwrap();
    let error = file.numbers::<f64>("name").unwrap_err().to_string();
    assert_eq!(error, "a.fits: HDU 3: column name has 6 values a row, not 1");
    file.select(1).unwrap();
    assert!(file.numbers::<f64>("value").is_err());
}
