package binding

import "strings"

const longestWord = 80

// Nearest returns the candidate that word was probably meant to be, or "". It
// measures by edits with swapped neighbours (optimal string alignment) and
// accepts up to a third of the word's length, at least two; capitals do not count.
func Nearest(word string, candidates []string) string {
	if len(word) > longestWord {
		return "" // no slip of the keyboard, and it would take long to measure
	}
	best, limit := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if strings.EqualFold(word, c) && word != c {
			return c
		}
		d := distance(word, c)
		if d >= max(len(word), len(c)) {
			continue
		}
		if d < limit || d == limit && best != "" && alike(word, c) > alike(word, best) {
			best, limit = c, d
		}
	}
	return best
}

// alike is how many bytes two words begin with in common.
func alike(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
