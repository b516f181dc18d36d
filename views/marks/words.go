package marks

// ImageTarget is what htmx swaps on this page.
const ImageTarget = "#image"
