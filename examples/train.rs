//! Makes the weights of `src/understanding` anew from the phrasings: `cargo run --release --example train`.

fn main() -> anyhow::Result<()> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/understanding/weights.bin");
    std::fs::write(file, weir::understanding::train_weights()?)?;
    Ok(())
}
