//! A load curve as a picture: in the terminal, and as SVG.
