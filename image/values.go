package image

// CountValues gives how many values a JSON text has at most, without reading it. What it takes in memory depends on that
// more than on its bytes: a list of empty objects grows forty-fold.
func CountValues(raw []byte) (n int) {
	quoted := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return n
}

// checkValues refuses what would take too much memory before it is read.
func checkValues(raw []byte) error {
	if CountValues(raw) > MaxValues {
		return Errorf(TooLarge, "the document has more than %d values", MaxValues)
	}
	return nil
}
