package image

import "bytes"

// MaxNesting is how deep objects and lists may stand in one another. Documents of images have some five levels; each
// level costs whoever reads or indents a document room in proportion to all that is in it.
const MaxNesting = 100

// CountValues returns how many values a JSON text has at most, without reading it. What it takes in memory depends on
// that more than on its bytes: a list of empty objects grows forty-fold.
func CountValues(raw []byte) int {
	values, _, _ := measure(raw)
	return values
}

// IndentedSize returns how many bytes a JSON text has at most once it is indented by two spaces. The indentation of a
// deep document grows with the square of its levels.
func IndentedSize(raw []byte) int {
	_, _, size := measure(raw)
	return size
}

// measure returns how many values a JSON text has at most, how many levels deep the deepest one stands, and how many
// bytes the text has at most once it is indented. It reads no value and asks for no valid text.
func measure(raw []byte) (values, deepest, indented int) {
	quoted, depth := false, 0
	indented = len(raw)
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ':':
			indented++
		case c == ',':
			values++
			indented += 1 + 2*depth
		case c == '[' || c == '{':
			values++
			depth++
			deepest = max(deepest, depth)
			indented += 1 + 2*depth
		case c == ']' || c == '}':
			depth = max(0, depth-1)
			indented += 1 + 2*depth
		}
	}
	return values, deepest, indented
}

// CheckJSON refuses a JSON text that would take too much memory, before it is read: of more than MaxValues values
// (TooLarge), or nested deeper than MaxNesting levels (Corrupt).
func CheckJSON(raw []byte) error {
	values, deepest, _ := measure(raw)
	if deepest > MaxNesting {
		return tooDeep()
	}
	return checkValues(values)
}

// CheckNesting is CheckJSON for a text that may have any number of values, such as a list of tags. What does not begin
// as JSON does passes: it is something else.
func CheckNesting(raw []byte) error {
	if head := bytes.TrimLeft(raw, " \t\r\n"); len(head) == 0 || head[0] != '{' && head[0] != '[' {
		return nil
	}
	if _, deepest, _ := measure(raw); deepest > MaxNesting {
		return tooDeep()
	}
	return nil
}

// checkStored is CheckJSON for what is stored already, by a version that knew no bound of the levels.
func checkStored(raw []byte) error { return checkValues(CountValues(raw)) }

func checkValues(values int) error {
	if values > MaxValues {
		return Errorf(TooLarge, "the document has more than %d values", MaxValues)
	}
	return nil
}

func tooDeep() error {
	return Errorf(Corrupt, "the document is nested deeper than %d levels", MaxNesting).
		Suggest("No tool for images writes such documents. Tell whoever made it.")
}
