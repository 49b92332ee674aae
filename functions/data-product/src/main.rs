//! The Lambda function `data-product`.

fn main() {}
