package secret

import "strings"

// shortestCut is how much of a secret has to be left at a cut for it to be
// taken out: less hides little, and is found by chance.
const shortestCut = 8

// cut takes out what is left of a secret where text was cut off: an excerpt of
// an answer ends, or begins, wherever its limit falls. Cuts are the ends of s
// and whatever stands beside an ellipsis.
func (w *swap) cut(s string) string {
	if len(s) < shortestCut {
		return s
	}
	if !strings.Contains(s, "...") && !strings.Contains(s, "…") {
		return w.ends(s)
	}
	var b strings.Builder
	for s != "" {
		at, width := ellipsis(s)
		b.WriteString(w.ends(s[:at]))
		b.WriteString(s[at : at+width])
		s = s[at+width:]
	}
	return b.String()
}

// ellipsis is where the first one in s begins, and its length; the end of s
// when there is none.
func ellipsis(s string) (at, width int) {
	dots, sign := strings.Index(s, "..."), strings.Index(s, "…")
	switch {
	case dots < 0 && sign < 0:
		return len(s), 0
	case sign < 0 || dots >= 0 && dots < sign:
		return dots, len("...")
	}
	return sign, len("…")
}

// ends takes out the beginning of a secret at the end of s, and the end of one
// at the beginning of s.
func (w *swap) ends(s string) string {
	inner := strings.TrimLeft(s, around)
	lead := s[:len(s)-len(inner)]
	inner = strings.TrimRight(inner, around)
	if len(inner) < shortestCut {
		return s
	}
	return lead + w.bare(inner) + s[len(lead)+len(inner):]
}

// around is what stands between a text and the place where it was cut.
const around = " \t\r\n\"'`()"

func (w *swap) bare(s string) string {
	from, to := 0, len(s)
	for i := max(0, len(s)-w.longest); i+shortestCut <= len(s) && to == len(s); i++ {
		for _, form := range w.heads[block(s, i)] {
			if len(form) > len(s)-i && form[:len(s)-i] == s[i:] {
				to = i
			}
		}
	}
	for end := min(len(s), w.longest); end >= shortestCut && from == 0; end-- {
		for _, form := range w.tails[block(s, end-shortestCut)] {
			if len(form) > end && form[len(form)-end:] == s[:end] {
				from = end
			}
		}
	}
	if from >= to && (from > 0 || to < len(s)) {
		return Mark
	}
	before, after := "", ""
	if from > 0 {
		before = Mark
	}
	if to < len(s) {
		after = Mark
	}
	return before + s[from:to] + after
}

// pieces index what is looked for at a cut by its first and its last bytes.
func (w *swap) pieces(forms []string) {
	w.heads, w.tails = map[uint64][]string{}, map[uint64][]string{}
	for _, form := range forms {
		if len(form) <= shortestCut {
			continue
		}
		head, tail := block(form, 0), block(form, len(form)-shortestCut)
		w.heads[head] = append(w.heads[head], form)
		w.tails[tail] = append(w.tails[tail], form)
		w.longest = max(w.longest, len(form)-1)
	}
}

// block is the shortestCut bytes of s from i on, as one number.
func block(s string, i int) uint64 {
	var n uint64
	for _, c := range []byte(s[i : i+shortestCut]) {
		n = n<<8 | uint64(c)
	}
	return n
}
