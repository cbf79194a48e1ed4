package render

import "strings"

// Fit returns the widths of columns that are separated by two blanks and fit into a line of the
// width. It reduces the widest columns first, and none below its minimum; a column with the
// minimum 0 is not reduced. If that is not enough, the line is longer than the width.
func Fit(widths, minima []int, width int) []int {
	fitted := append([]int{}, widths...)
	total := 2 * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > width; total-- {
		widest := -1
		for i, w := range fitted {
			if minima[i] > 0 && w > minima[i] && (widest < 0 || w > fitted[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		fitted[widest]--
	}
	return fitted
}

// CutMiddle shortens the text to a width, with an ellipsis in its middle. Ids that have the same
// start often differ at their end.
func CutMiddle(text string, limit int) string {
	if Width(text) <= limit {
		return text
	}
	tail := suffix(text, (limit-1)/2)
	return prefix(text, limit-1-Width(tail)) + "…" + tail
}

// CutImage shortens the reference of an image to a width. It keeps the tag or digest, and as much
// of the end of the name as possible.
func CutImage(image string, limit int) string {
	if Width(image) <= limit {
		return image
	}
	return "…" + suffix(image, limit-1)
}

// CutEnd shortens the text to a width, with an ellipsis at its end.
func CutEnd(text string, limit int) string {
	if Width(text) <= limit {
		return text
	}
	return prefix(text, limit-1) + "…"
}

// prefix returns the longest start of the text that is at most so wide.
func prefix(text string, width int) string {
	for i, r := range text {
		if width -= Width(string(r)); width < 0 {
			return text[:i]
		}
	}
	return text
}

// suffix returns the longest end of the text that is at most so wide. It does not start with a mark
// that combines with the character before it.
func suffix(text string, width int) string {
	start := len(text)
	runes := []rune(text)
	for i := len(runes) - 1; i >= 0; i-- {
		if width -= Width(string(runes[i])); width < 0 {
			break
		}
		start -= len(string(runes[i]))
	}
	return strings.TrimLeftFunc(text[start:], func(r rune) bool { return Width(string(r)) == 0 })
}
