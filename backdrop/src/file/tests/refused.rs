//! Files that are no models, or damaged.

use super::*;

#[test]
fn fits_files_of_another_content_are_refused_with_the_reason() {
    let with = |hdu: usize, change: &dyn Fn(Hdu) -> Hdu| {
        let mut hdus = original_layout(2, 77, COLUMNS2);
        hdus[hdu] = change(hdus[hdu].clone());
        refusal(&file_of(&hdus))
    };
    assert_eq!(refusal(&file_of(&[Hdu::primary()])), "HDU 1 is missing, not \"TIME\"");
    let six = original_layout(2, 77, COLUMNS2);
    assert_eq!(refusal(&file_of(&six[..6])), "HDU 6 is missing, not \"AVGFRAME\"");
    assert_eq!(
        with(2, &|hdu| hdu.set("EXTNAME", "'OTHER   '")),
        "HDU 2 is called \"OTHER\", not \"WEIGHTS1\""
    );
    assert_eq!(with(4, &|hdu| hdu.set("NAXIS2", 1)), "2 frames have a tstart, but 1 a jitter");
    assert_eq!(with(0, &|hdu| hdu.set("CUTSIZE", 6)), "CUTSIZE is 6, but AVGFRAME has 5 rows");
    assert_eq!(with(0, &|hdu| hdu.set("CAMERA", 5)), "there is no sector 7, camera 5, CCD 4");
    assert_eq!(
        with(0, &|hdu| hdu.card("PRESET", "'classic '")),
        "it has only some of PRESET, DESIGN1, DESIGN2, NKNOTS"
    );
    assert_eq!(
        with(2, &|hdu| hdu.set("NAXIS1", 76)),
        "it names no designs, and 76 and 3122 weights with STRPPOLY 2 are not those of the preset standard"
    );
    assert_eq!(with(3, &|_| matrix("WEIGHTS2", 2, 60, 0.0)).split(", ").next(), Some("it names no designs"));
    assert_eq!(with(3, &|_| six[1].clone().set("EXTNAME", "'WEIGHTS2'")), "HDU 3 is a table, not an image");
    let cube = Hdu::image(-64, &[1, 1, 1], vec![0; 8]).card("EXTNAME", "'BKG     '");
    assert_eq!(with(5, &|_| cube.clone()), "HDU 5 has 3 axes, not 2");
    let first_tstart = |value: f64| {
        with(1, &|mut hdu| {
            hdu.data[..8].copy_from_slice(&value.to_be_bytes());
            hdu
        })
    };
    assert_eq!(first_tstart(1600.0), "the frames are not sorted by tstart");
    assert_eq!(first_tstart(f64::NAN), "a frame that could be read has no tstart");
    for quality in [0.5, -1.0, f64::NAN, 1e10] {
        let message = with(1, &|mut hdu| {
            hdu.data[16..24].copy_from_slice(&quality.to_be_bytes());
            hdu
        });
        assert_eq!(message, "quality holds no bit flags");
    }
    assert!(with(0, &|hdu| hdu.without("SECTOR")).ends_with("HDU 0 has no usable keyword SECTOR"));
    assert!(with(1, &|hdu| hdu.set("TTYPE2", "'x'")).contains("cannot find column tstop of HDU 1"));
    // Axes whose product overflows, or is 0 beside an axis of any length.
    for (columns, rows) in [(i64::MAX, i64::MAX), (1 << 40, 1), (0, i64::MAX), (1 << 61, 8)] {
        let message = with(6, &|hdu| hdu.set("NAXIS1", columns).set("NAXIS2", rows));
        assert!(!message.is_empty(), "{message}");
    }
}

#[test]
fn files_that_are_no_models_are_refused() {
    assert_eq!(refusal(b""), "neither FITS nor npz");
    assert_eq!(refusal(b"hello"), "neither FITS nor npz");
    assert_eq!(refusal(b"\x1f\x8b\x08"), "it is compressed by gzip; unpack it");
    let mut weights_only = NpzWriter::new(std::io::Cursor::new(Vec::new()));
    weights_only.add_array("arr_0", &model().weights1).unwrap();
    weights_only.add_array("arr_1", &model().weights2).unwrap();
    let weights_only = weights_only.finish().unwrap().into_inner();
    assert_eq!(refusal(&weights_only), "there is no metadata.npy in it");
    assert!(matches!(Model::load(Path::new("no-such-file")), Err(Error::Io { .. })));
    assert!(matches!(Model::load(Path::new(".")), Err(Error::Io { .. })));
}

/// An npz with one array, whose NumPy header is `header`, in place of the weights.
fn npz_with_header(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut file = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    file.start_file("weights_basic.npy", zip::write::SimpleFileOptions::default()).unwrap();
    let length = header.len() as u32;
    file.write_all(b"\x93NUMPY").unwrap();
    file.write_all(&[version, 0]).unwrap();
    file.write_all(&length.to_le_bytes()[..if version == 1 { 2 } else { 4 }]).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.write_all(data).unwrap();
    file.finish().unwrap().into_inner()
}

#[test]
fn npz_headers_that_declare_too_much_ask_for_no_memory() {
    let damaged = "its array weights_basic is damaged";
    for shape in [
        "(1000000000000000000, 1)",
        "(4294967296, 4294967296)",
        "(18446744073709551615, 0)",
        "(1000, 1)",
        "(1, -1)",
        "3",
    ] {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
        assert_eq!(refusal(&npz_with_header(1, &header, &[0; 8])), damaged, "{shape}");
    }
    let two_shapes = "{'shape': (1, 1), 'descr': '<f8', 'fortran_order': False, 'shape': (9, 9), }\n";
    assert_eq!(refusal(&npz_with_header(1, two_shapes, &[0; 8])), damaged);
    let escaped = "{'descr': '<f8', 'fortran_order': False, 'sh\\x61pe': (9, 9), 'shape': (1, 1)}\n";
    assert_eq!(refusal(&npz_with_header(1, escaped, &[0; 8])), damaged);
    let nested = format!("{{'shape': (1, 1), 'descr': {}\n", "(".repeat(60_000));
    assert_eq!(refusal(&npz_with_header(2, &nested, &[0; 8])), damaged);
    // As it should be: the next thing that is missing is the other array.
    let right = "{'descr': '>f8', 'fortran_order': True, 'shape': (1, 1), }\n";
    assert_eq!(refusal(&npz_with_header(1, right, &[0; 8])), "there is no arr_1.npy in it");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let hdu_ends: Vec<_> = {
        let bytes = bytes_of(&model(), Format::Fits);
        let mut file = Reader::open_bytes(Path::new("model"), &bytes).unwrap();
        let end = |hdu| {
            file.select(hdu).unwrap();
            file.end() as usize
        };
        (0..11).map(end).collect()
    };
    for format in FORMATS {
        let bytes = bytes_of(&model(), format);
        for length in (0..bytes.len()).filter(|length| length % 97 == 0 || length % BLOCK == 0) {
            // The HDUs after the seventh may be missing.
            let whole = format == Format::Fits && hdu_ends[6..].contains(&length);
            assert_eq!(load(&bytes[..length]).is_ok(), whole, "{format:?}, {length} bytes");
        }
    }
}

#[test]
fn a_wrong_bit_in_the_data_is_found() {
    for format in FORMATS {
        let mut bytes = bytes_of(&model(), format);
        let pixel = 10.125_f64;
        let stored = if format == Format::Fits { pixel.to_be_bytes() } else { pixel.to_le_bytes() };
        let position = bytes.windows(8).position(|window| window == stored).unwrap();
        bytes[position + 3] ^= 1;
        let message = load(&bytes).unwrap_err().to_string();
        assert!(message.to_lowercase().contains("checksum"), "{message}");
    }
}

#[test]
fn no_damage_makes_loading_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    for format in FORMATS {
        let whole = bytes_of(&model(), format);
        let mut refused = 0;
        for _ in 0..500 {
            let mut bytes = whole.clone();
            for _ in 0..rng.random_range(1..4) {
                let position = rng.random_range(0..bytes.len());
                bytes[position] = match rng.random_range(0..3) {
                    0 => rng.random(),
                    1 => b"0123456789 '=-"[rng.random_range(0..14)],
                    _ => bytes[position] ^ 1 << rng.random_range(0..8),
                };
            }
            std::fs::write(&path, &bytes).unwrap();
            let loaded = Model::load(&path);
            let stored = StoredModel::open_with_images(&path).and_then(|model| model.check());
            assert_eq!(stored.is_err(), loaded.is_err());
            refused += u32::from(loaded.is_err());
        }
        // Most of a small FITS file is comments and padding, in which nothing matters.
        assert!(refused > if format == Format::Fits { 10 } else { 250 }, "{format:?}: {refused}");
    }
}
