package secret

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// shortestLine is the length from which a line of a secret with several,
	// such as a private key, is searched for by itself.
	shortestLine = 16
	// shortestURL is the length from which a part of an address that is a secret,
	// such as a webhook's, is searched for without the rest.
	shortestURL = 16
	// shortestCore is the length from which what base64 makes of a secret is
	// searched for; less would be found by chance.
	shortestCore = 6
)

// forms are the shapes in which text may turn up in what programs print: as it
// is, escaped for JSON, Go, a URL, HTML, SQL or a shell, and in base64, alone
// or behind a user's name. The longest comes first. None is shorter than the
// shortest that is searched for.
func forms(text string) []string {
	whole := parts(text)
	address, inside := insideURL(text)
	return shapes(append(append(whole, address...), inside...))
}

// fragile are the forms of which a piece is searched for where text was cut
// off. An address as a whole is none: it begins with what everybody may know.
func fragile(text string) []string {
	if address, inside := insideURL(text); address != nil {
		return shapes(inside)
	}
	return shapes(parts(text))
}

func shapes(parts []string) []string {
	var all []string
	for _, part := range parts {
		all = append(all, escaped(part)...)
		all = append(all, encoded(part)...)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) < shortest })
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}

// parts are text, and the lines of a text that has several.
func parts(text string) []string {
	parts := []string{text}
	if trimmed := strings.TrimSpace(text); trimmed != text {
		parts = append(parts, trimmed)
	}
	if strings.Contains(text, "\n") {
		parts = append(parts, strings.ReplaceAll(text, "\n", "\r\n"))
		for line := range strings.SplitSeq(text, "\n") {
			line = strings.TrimSpace(line)
			if len(line) >= shortestLine && !strings.HasPrefix(line, "-----") {
				parts = append(parts, line)
			}
		}
	}
	return parts
}

// insideURL are the parts of an address that are secret where the address is:
// what a server is shown of it, and, inside of that, long segments and values
// and the password. An address with a password is one of a database or of a
// store, whose path names what everybody may know. Nil for any other text.
func insideURL(text string) (address, inside []string) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme == "" || u.Host == "" {
		return nil, nil
	}
	password, closed := u.User.Password()
	if !closed {
		inside = strings.Split(u.Path, "/")
		address = []string{u.RequestURI(), u.Path}
	}
	for _, values := range u.Query() {
		inside = append(inside, values...)
	}
	short := func(s string) bool { return len(s) < shortestURL }
	inside = slices.DeleteFunc(inside, short)
	if len(password) >= shortest && !guessed(password) {
		inside = append(inside, password)
	}
	return append([]string{text}, slices.DeleteFunc(address, short)...), inside
}

// escaped is s with what different languages make of its special characters,
// and that once more as a string in JSON or HTML, in which answers wrap it.
func escaped(s string) []string {
	out := append([]string{s, unquote(strconv.Quote(s)), html.EscapeString(s),
		strings.ReplaceAll(s, "'", "''"), strings.ReplaceAll(s, "'", `'\''`), strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s)}, inJSON(s)...)
	for _, quoted := range []string{url.QueryEscape(s), strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), url.PathEscape(s),
		(&url.URL{Path: "/" + s}).EscapedPath()[1:], strings.TrimPrefix(url.UserPassword("", s).String(), ":")} {
		out = append(out, quoted, lowerHex(quoted))
	}
	slices.Sort(out)
	for _, once := range slices.Compact(out) {
		out = append(out, html.EscapeString(once))
		out = append(out, inJSON(once)...)
	}
	return out
}

// inJSON is s inside a string of JSON, as different programs write it: with <,
// > and & escaped or not, only in ASCII or not, with / escaped or not.
func inJSON(s string) []string {
	text, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	quoted := unquote(string(text))
	out := []string{quoted, strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(quoted), unquote(strconv.QuoteToASCII(s))}
	for _, form := range out {
		out = append(out, strings.ReplaceAll(form, "/", `\/`))
	}
	return out
}

func unquote(s string) string { return s[1 : len(s)-1] }

// lowerHex writes %2F as %2f.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(s[i+1:i+3]))
		}
	}
	return string(b)
}

// encoded is what base64 makes of s, whatever stands before and after it, as
// "user:" does in an Authorization header: one core for each of the three ways
// in which s may lie in the groups of three bytes. The characters at the edges,
// which hold bits of the neighbours, are left out.
func encoded(s string) []string {
	var out []string
	for before := range 3 {
		padded := strings.Repeat("\x00", before) + s
		first := (before*8 + 5) / 6
		last := len(padded) * 8 / 6
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if core := alphabet.EncodeToString([]byte(padded))[first:last]; len(core) >= shortestCore {
				out = append(out, core)
			}
		}
	}
	return out
}
