//! The registration system's load against its capacity as a small picture: a bar for each minute, the capacity as a line,
//! a mark under each full hour. Words stand beside it, not in it.

use crate::domain::{Going, LoadPicture};

/// Its width, in pixels.
pub const WIDTH: u32 = 640;
/// Its height, in pixels.
pub const HEIGHT: u32 = 320;
/// Minutes that it shows: the last ones.
pub const MINUTES: usize = 180;

const BAR_WIDTH: u32 = 3;
const LEFT: u32 = (WIDTH - BAR_WIDTH * MINUTES as u32) / 2;
const TOP: u32 = 20;
/// The row on which the bars stand.
const GROUND: u32 = HEIGHT - 30;
/// What the height stands for, in per cent of the capacity.
const TOP_PER_CENT: u32 = 120;
/// The row of the full capacity.
const CAPACITY: u32 = GROUND - (GROUND - TOP) * 100 / TOP_PER_CENT;
const HOUR_MARK: u32 = 12;

/// What a pixel may be: its place in the palette.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Ink {
    Paper,
    Black,
    Line,
    Fully,
    Slowly,
    Not,
    Unknown,
}

/// Blue, orange and red differ for those, too, who see no difference between red and green.
const PALETTE: [[u8; 3]; 7] = [
    [255, 255, 255],
    [60, 60, 60],
    [20, 20, 20],
    [58, 124, 196],
    [240, 160, 48],
    [200, 48, 48],
    [228, 228, 228],
];

/// Draws it as a PNG file; none where no minute is known, for which words serve better.
pub fn png(load: &LoadPicture) -> Option<Vec<u8>> {
    let first = load.minutes.len().saturating_sub(MINUTES);
    let shown = &load.minutes[first..];
    if shown.iter().all(Option::is_none) {
        return None;
    }
    let mut sheet = Sheet::new();
    // The newest minute stands at the right end, however few are known.
    let empty = MINUTES - shown.len();
    let (hour, minute) = (usize::from(load.from.0), usize::from(load.from.1));
    for (place, bar) in shown.iter().enumerate() {
        let x = LEFT + BAR_WIDTH * (empty + place) as u32;
        match bar {
            None => sheet.fill((x, CAPACITY), (BAR_WIDTH, GROUND - CAPACITY), Ink::Unknown),
            Some((per_cent, going)) => {
                let top = top_of(*per_cent);
                let ink = match going {
                    Going::Fully => Ink::Fully,
                    Going::Slowly => Ink::Slowly,
                    Going::Not => Ink::Not,
                };
                sheet.fill((x, top), (BAR_WIDTH, GROUND - top), ink);
            }
        }
        if (hour * 60 + minute + first + place).is_multiple_of(60) {
            sheet.fill((x, GROUND + 2), (BAR_WIDTH, HOUR_MARK), Ink::Black);
        }
    }
    sheet.fill((LEFT, GROUND), (BAR_WIDTH * MINUTES as u32, 2), Ink::Black);
    sheet.fill((LEFT, CAPACITY - 1), (BAR_WIDTH * MINUTES as u32, 3), Ink::Line);
    sheet.encoded()
}

/// The row at which a bar of so many per cent begins: one at least, so that nothing in use is told from nothing known.
fn top_of(per_cent: u8) -> u32 {
    let height = (GROUND - TOP) * u32::from(per_cent).min(TOP_PER_CENT) / TOP_PER_CENT;
    GROUND - height.max(1)
}

struct Sheet(Vec<u8>);

impl Sheet {
    fn new() -> Self {
        Self(vec![Ink::Paper as u8; (WIDTH * HEIGHT) as usize])
    }

    fn fill(&mut self, (left, top): (u32, u32), (width, height): (u32, u32), ink: Ink) {
        for y in top..(top + height).min(HEIGHT) {
            let row = (y * WIDTH) as usize;
            let (from, to) = (left.min(WIDTH) as usize, (left + width).min(WIDTH) as usize);
            self.0[row + from..row + to].fill(ink as u8);
        }
    }

    fn encoded(&self) -> Option<Vec<u8>> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, WIDTH, HEIGHT);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(PALETTE.concat());
        let mut writer = encoder.write_header().ok()?;
        writer.write_image_data(&self.0).ok()?;
        writer.finish().ok()?;
        Some(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colours of a file, row by row.
    fn decoded(file: &[u8]) -> Vec<[u8; 3]> {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().expect("a PNG file");
        let mut pixels = vec![0; reader.output_buffer_size().expect("it fits")];
        let info = reader.next_frame(&mut pixels).expect("a picture");
        assert_eq!((info.width, info.height), (WIDTH, HEIGHT));
        assert_eq!(info.color_type, png::ColorType::Rgb);
        pixels[..info.buffer_size()].as_chunks::<3>().0.to_vec()
    }

    fn at(pixels: &[[u8; 3]], x: u32, y: u32) -> [u8; 3] {
        pixels[(y * WIDTH + x) as usize]
    }

    fn ink(ink: Ink) -> [u8; 3] {
        PALETTE[ink as usize]
    }

    #[test]
    fn a_bar_stands_where_it_should() {
        let mut minutes = vec![None; MINUTES];
        minutes[0] = Some((60, Going::Fully));
        minutes[90] = Some((120, Going::Not));
        minutes[179] = Some((0, Going::Slowly));
        let file = png(&LoadPicture {
            from: (9, 30),
            minutes,
        })
        .expect("a picture");
        assert!(file.len() < 10_000, "{}", file.len());
        let pixels = decoded(&file);
        let half = GROUND - (GROUND - TOP) / 2;
        assert_eq!(at(&pixels, LEFT, half), ink(Ink::Fully));
        assert_ne!(at(&pixels, LEFT, half - 1), ink(Ink::Fully));
        assert_eq!(at(&pixels, LEFT - 1, half), ink(Ink::Paper));
        assert_eq!(at(&pixels, LEFT + BAR_WIDTH, half), ink(Ink::Unknown));
        // Above the capacity it crosses the line, and is cut at the top.
        let x = LEFT + 90 * BAR_WIDTH;
        assert_eq!(at(&pixels, x, TOP), ink(Ink::Not));
        assert_eq!(at(&pixels, x, TOP - 1), ink(Ink::Paper));
        assert_eq!(at(&pixels, x, CAPACITY), ink(Ink::Line));
        let last = LEFT + 179 * BAR_WIDTH;
        assert_eq!(at(&pixels, last, GROUND - 1), ink(Ink::Slowly));
        assert_eq!(at(&pixels, last, GROUND - 2), ink(Ink::Paper));
        // 10:00, 11:00 and 12:00 are marked.
        let marks: Vec<u32> = (0..MINUTES as u32)
            .filter(|minute| at(&pixels, LEFT + minute * BAR_WIDTH, GROUND + 5) == ink(Ink::Black))
            .collect();
        assert_eq!(marks, [30, 90, 150]);
    }

    #[test]
    fn few_minutes_stand_at_the_right_and_more_than_it_shows_are_the_last() {
        let few = LoadPicture {
            from: (9, 0),
            minutes: vec![Some((100, Going::Fully)); 2],
        };
        let pixels = decoded(&png(&few).expect("a picture"));
        let y = GROUND - 10;
        assert_eq!(at(&pixels, LEFT + 179 * BAR_WIDTH, y), ink(Ink::Fully));
        assert_eq!(at(&pixels, LEFT + 178 * BAR_WIDTH, y), ink(Ink::Fully));
        assert_eq!(at(&pixels, LEFT + 177 * BAR_WIDTH, y), ink(Ink::Paper));
        let mut minutes = vec![Some((100, Going::Not)); 20];
        minutes.extend([Some((100, Going::Fully)); MINUTES]);
        let many = LoadPicture {
            from: (9, 0),
            minutes,
        };
        let pixels = decoded(&png(&many).expect("a picture"));
        assert!(!pixels.contains(&ink(Ink::Not)));
        assert_eq!(
            at(&pixels, LEFT + 40 * BAR_WIDTH, GROUND + 5),
            ink(Ink::Black),
            "10:00"
        );
    }

    #[test]
    fn without_a_history_there_is_no_picture() {
        assert_eq!(png(&LoadPicture::default()), None);
        let unknown = LoadPicture {
            from: (0, 0),
            minutes: vec![None; 60],
        };
        assert_eq!(png(&unknown), None);
    }
}
