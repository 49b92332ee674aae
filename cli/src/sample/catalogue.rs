//! The shop's products and customers: invented, but similar to the real ones.

use super::random::{Purpose, Random};
use super::text::csv_field;

const SIZES: [&str; 14] = [
    "SET OF 3",
    "SET OF 6",
    "PACK OF 12",
    "SET/4",
    "LARGE",
    "SMALL",
    "MINI",
    "ASSORTED COLOUR",
    "HAND WARMER",
    "JUMBO",
    "CHILDRENS",
    "SET OF 20",
    "BOX OF 24",
    "PACK OF 72",
];
const STYLES: [&str; 34] = [
    "RED RETROSPOT",
    "PINK POLKADOT",
    "WHITE HANGING HEART",
    "BLUE",
    "IVORY",
    "VINTAGE",
    "FRENCH BLUE",
    "WOODLAND",
    "PAISLEY",
    "UNION JACK",
    "STRAWBERRY",
    "SPACEBOY",
    "DOLLY GIRL",
    "SUKI DESIGN",
    "BLACK SKULL",
    "CIRCUS PARADE",
    "ROSE COTTAGE",
    "GREEN REGENCY",
    "ANTIQUE SILVER",
    "CREAM CUPID",
    "WOODEN",
    "ENAMEL",
    "GLASS STAR FROSTED",
    "KNITTED",
    "SCANDINAVIAN REDS",
    "GINGHAM",
    "DOORMAT",
    "ZINC WILLIE WINKIE",
    "HEART OF WICKER",
    "PARTY BUNTING",
    "CHARLOTTE",
    "LOVE BIRD",
    "FELTCRAFT",
    "EDWARDIAN",
];
const THINGS: [&str; 40] = [
    "T-LIGHT HOLDER",
    "METAL LANTERN",
    "LUNCH BAG",
    "JUMBO BAG",
    "CAKE TINS",
    "HOT WATER BOTTLE",
    "COAT HANGER",
    "PAPER CHAIN KIT",
    "BUNTING",
    "ALARM CLOCK",
    "CAKESTAND 3 TIER",
    "TEA TOWEL",
    "APRON",
    "PHOTO FRAME",
    "MUG",
    "STORAGE BOX",
    "NAPKINS",
    "GIFT WRAP",
    "DOORSTOP",
    "CANDLE HOLDER",
    "WALL CLOCK",
    "DRAWER KNOB",
    "KEY RING",
    "TRINKET BOX",
    "PLAYING CARDS",
    "MAGNETS",
    "BABUSHKA",
    "MOBILE",
    "JIGSAW BLOCKS",
    "PICNIC BASKET",
    "BIRDHOUSE",
    "TEAPOT",
    "BOWL",
    "SPOON REST",
    "PARASOL",
    "RUG",
    "WRITING SET",
    "STICKY TAPE",
    "LETTER RACK",
    "EGG CUPS",
];
/// Selling prices in thousandths, the common ones more than once.
const PRICES: [u32; 28] = [
    1250, 1250, 1250, 850, 850, 2950, 2950, 1650, 1650, 2100, 420, 420, 3750, 1950, 2550, 4950, 1450, 7950, 5950, 4250,
    3390, 550, 650, 8500, 9950, 12750, 16950, 195,
];
/// Number of products.
const PRODUCTS: u16 = 3600;
/// Customer numbers as in the original data: 12346 to 18287.
const FIRST_CUSTOMER: u32 = 12_346;
const CUSTOMERS: u32 = 5_942;

/// Something that is sold. Texts are ready-made CSV fields.
#[derive(Debug, Clone)]
pub(super) struct Product {
    /// Stock code.
    pub(super) stock_code: Vec<u8>,
    /// Description.
    pub(super) description: Vec<u8>,
    /// Price in thousandths.
    pub(super) price: u32,
}

impl Product {
    /// A product from plain texts.
    pub(super) fn new(stock_code: &str, description: &str, price: u32) -> Self {
        Self { stock_code: csv_field(stock_code), description: csv_field(description), price }
    }

    /// What a walk-in customer pays, in whole cents: nearly twice the wholesale price.
    pub(super) fn retail_price(&self) -> u32 {
        (self.price * 197 / 1000).saturating_mul(10).max(100)
    }

    /// What is paid by the dozen, in whole cents.
    pub(super) fn bulk_price(&self) -> u32 {
        (self.price * 85 / 1000).saturating_mul(10).max(60)
    }
}

/// Everything the shop sells. It is the same in every call, so a stock code means the same product in all files.
pub(super) struct Catalogue {
    products: Vec<Product>,
    /// `POSTAGE`, for orders from abroad.
    pub(super) postage: Product,
    /// `DOTCOM POSTAGE`, for orders without a customer number.
    pub(super) dotcom_postage: Product,
    /// `Manual` corrections.
    pub(super) manual: Product,
    /// `Discount`, on cancellations only.
    pub(super) discount: Product,
    /// `Adjust bad debt`, on `A` invoices.
    pub(super) bad_debt: Product,
    /// Gift vouchers.
    pub(super) vouchers: [Product; 4],
}

impl Catalogue {
    /// The catalogue.
    pub(super) fn new() -> Self {
        let mut random = Random::new(0, 0, Purpose::Catalogue);
        let products = (0..PRODUCTS).map(|index| product(&mut random, index)).collect();
        let voucher = |pounds: u32| {
            let description = format!("Dotcomgiftshop Gift Voucher £{pounds}.00");
            Product::new(&format!("gift_0001_{pounds}"), &description, pounds * 851)
        };
        Self {
            products,
            postage: Product::new("POST", "POSTAGE", 18_000),
            dotcom_postage: Product::new("DOT", "DOTCOM POSTAGE", 569_770),
            manual: Product::new("M", "Manual", 1_250),
            discount: Product::new("D", "Discount", 27_500),
            bad_debt: Product::new("B", "Adjust bad debt", 11_062_060),
            vouchers: [voucher(10), voucher(20), voucher(30), voucher(40)],
        }
    }

    /// Draws a product; some sell far better than others.
    pub(super) fn draw(&self, random: &mut Random) -> &Product {
        let index = random.skewed_below(PRODUCTS.into());
        self.products.get(index as usize).unwrap_or(&self.manual)
    }

    /// Draws a voucher.
    pub(super) fn draw_voucher(&self, random: &mut Random) -> &Product {
        let [ten, twenty, thirty, forty] = &self.vouchers;
        match random.below(4) {
            0 => ten,
            1 => twenty,
            2 => thirty,
            _ => forty,
        }
    }
}

fn product(random: &mut Random, index: u16) -> Product {
    let mut stock_code = (20_003 + u32::from(index) * 19).to_string();
    if random.below(5) == 0 {
        stock_code.push_str(random.pick(&["A", "B", "C", "D", "E", "G", "L", "P"]));
    }
    let (size, style, thing) = (random.pick(&SIZES), random.pick(&STYLES), random.pick(&THINGS));
    let description = match random.below(100) {
        0..=3 => format!("{thing}, {style}"),
        4 => format!("{style} FRAME 7\" {thing}"),
        5..=34 => format!("{size} {style} {thing}"),
        35..=38 => format!("{style} {thing} "),
        39..=40 => format!("{thing} {style}."),
        41 => format!("{style}  {thing}"),
        42 => format!("{thing} CRÈME BRÛLÉE {style}"),
        _ => format!("{style} {thing}"),
    };
    let count = u32::try_from(PRICES.len()).unwrap_or_default();
    let price = PRICES.get(random.below(count) as usize).copied().unwrap_or(1250);
    Product::new(&stock_code, &description, price)
}

/// A customer number and the customer's country.
pub(super) fn draw_customer(random: &mut Random) -> (u32, &'static str) {
    let place = random.skewed_below(CUSTOMERS);
    // Spreads regular customers over the numbers, and gives every number one fixed country.
    let scattered = place.wrapping_mul(2_654_435_761);
    (FIRST_CUSTOMER + place.wrapping_mul(3_001) % CUSTOMERS, country(scattered >> 16, 895))
}

/// Where an order without a customer number comes from.
pub(super) fn draw_country(random: &mut Random) -> &'static str {
    country(random.below(1 << 16), 985)
}

/// The country at a position from 0 to 65535, `british` per mille of which are the United Kingdom's.
fn country(place: u32, british: u32) -> &'static str {
    const ABROAD: [&str; 32] = [
        "Germany",
        "Germany",
        "Germany",
        "Germany",
        "Germany",
        "France",
        "France",
        "France",
        "France",
        "EIRE",
        "EIRE",
        "EIRE",
        "Spain",
        "Spain",
        "Netherlands",
        "Netherlands",
        "Switzerland",
        "Belgium",
        "Portugal",
        "Australia",
        "Norway",
        "Italy",
        "Cyprus",
        "Japan",
        "Sweden",
        "Poland",
        "Channel Islands",
        "Denmark",
        "Finland",
        "Austria",
        "Singapore",
        "Unspecified",
    ];
    if place * 1000 / 65_536 < british {
        return "United Kingdom";
    }
    ABROAD.get((place % 32) as usize).copied().unwrap_or("Unspecified")
}
