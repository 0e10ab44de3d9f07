package secret

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// awkward is a secret with a character that each of the encodings escapes.
const awkward = `p/w"rd <&> 'it\s' 50%+é=?;:@#end`

func TestSecretIsFoundInEveryEncoding(t *testing.T) {
	r := &Redactor{}
	r.Add(New(awkward))
	asJSON, err := json.Marshal(map[string]string{"token": awkward})
	if err != nil {
		t.Fatal(err)
	}
	request := http.Request{Header: http.Header{}}
	basic := func(user string) string {
		request.SetBasicAuth(user, awkward)
		return request.Header.Get("Authorization")
	}
	texts := map[string]string{
		"as it is":     "Bearer " + awkward + ".",
		"JSON":         string(asJSON),
		"JSON of PHP":  strings.ReplaceAll(fmt.Sprintf("%+q", awkward), "/", `\/`),
		"JSON, / too":  strings.ReplaceAll(string(asJSON), "/", `\/`),
		"Go":           fmt.Sprintf("%q", awkward),
		"Go in ASCII":  fmt.Sprintf("%+q", awkward),
		"query":        "https://x/?t=" + url.QueryEscape(awkward) + "&a=b",
		"lower hex":    "https://x/?t=" + strings.NewReplacer("%2F", "%2f", "%3C", "%3c", "%3E", "%3e", "%3D", "%3d", "%3F", "%3f", "%3B", "%3b", "%3A", "%3a", "%2B", "%2b", "%5C", "%5c", "%C3%A9", "%c3%a9").Replace(url.QueryEscape(awkward)),
		"path":         (&url.URL{Scheme: "https", Host: "x", Path: "/hooks/" + awkward}).String(),
		"JSON in JSON": inside(t, inside(t, awkward)),
		"URL in JSON":  inside(t, "/x?t="+url.QueryEscape(awkward)) + inside(t, "/"+url.PathEscape(awkward)),
		"Go in JSON":   inside(t, fmt.Sprintf("%q", awkward)),
		"segment":      "https://x/" + url.PathEscape(awkward) + "/y",
		"user info":    (&url.URL{Scheme: "https", Host: "x", User: url.UserPassword("bob", awkward)}).String(),
		"HTML":         "<pre>" + html.EscapeString(awkward) + "</pre>",
		"SQL":          "ALTER ROLE a PASSWORD '" + strings.ReplaceAll(awkward, "'", "''") + "'",
		"basic, 0":     basic("ab"), "basic, 1": basic("abc"), "basic, 2": basic("abcd"),
		"base64 URL": base64.URLEncoding.EncodeToString([]byte("x:" + awkward)),
		"base64":     base64.StdEncoding.EncodeToString([]byte(awkward)),
	}
	for name, text := range texts {
		got := r.Text(text)
		if !strings.Contains(got, Mark) {
			t.Errorf("%s: not found in %s", name, text)
		}
		if strings.Contains(got, "end") || strings.Contains(got, "w\"rd") || leaked(got) {
			t.Errorf("%s: %s is left of it", name, got)
		}
	}
}

// inside is text as a string of JSON.
func inside(t *testing.T, text string) string {
	t.Helper()
	out, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// leaked tells whether a base64 run of text holds more than the edge of the
// secret.
func leaked(text string) bool {
	for _, run := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '[' || r == ']' }) {
		for cut := range min(4, len(run)) {
			plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(run[cut:], "="))
			if err == nil && len(plain) > 3 && strings.Contains(awkward, string(plain[1:len(plain)-1])) {
				return true
			}
		}
	}
	return false
}

func TestLinesOfAKeyAreSecret(t *testing.T) {
	body := "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz"
	key := "-----BEGIN OPENSSH PRIVATE KEY-----\n" + body + "\nshort=\n-----END OPENSSH PRIVATE KEY-----\n"
	r := &Redactor{}
	r.Add(New(key))
	for _, text := range []string{key, strings.ReplaceAll(key, "\n", "\r\n"), fmt.Sprintf("%q", key), "line 2: " + body, strings.TrimSpace(key)} {
		if got := r.Text(text); strings.Contains(got, "b3Blbn") {
			t.Errorf("%s", got)
		}
	}
	const begin = "-----BEGIN OPENSSH PRIVATE KEY-----"
	if got := r.Text(begin + "short="); got != begin+"short=" {
		t.Errorf("what every key has in common was taken for a secret: %s", got)
	}
}

// TestShortSecretsLeaveTheOutputAlone: they hide nothing and would destroy
// everything.
func TestShortSecretsLeaveTheOutputAlone(t *testing.T) {
	text := "a run of hobby-1 ended: done; YWJj abc %61 1 2 3"
	for _, short := range []string{"", "a", "1", " ", "\n", "abc", "é"} {
		r := &Redactor{}
		r.Add(New(short))
		if got := r.Text(text); got != text {
			t.Errorf("%q: %s", short, got)
		}
	}
	r := &Redactor{}
	r.Add(New("   a   "))
	if got := r.Text(text); got != text {
		t.Errorf("a letter between spaces: %s", got)
	}
	r.Add(New("a\nb\nc\nd"))
	if got := r.Text(text); got != text {
		t.Errorf("letters in lines: %s", got)
	}
}

func TestKeysAreText(t *testing.T) {
	r := &Redactor{}
	r.Add(New("s3cr3t-value"))
	got := r.Data(map[string]any{"s3cr3t-value": 1.0, "record": map[string]any{"$type": "x.Y", "s3cr3t-value": "s3cr3t-value"}}).(map[string]any)
	if got[Mark] != 1.0 || len(got) != 2 {
		t.Errorf("got %v", got)
	}
	if record := got["record"].(map[string]any); record["s3cr3t-value"] != Mark {
		t.Errorf("a field of a record was renamed: %v", record)
	}
}

func BenchmarkRedactor(b *testing.B) {
	r := &Redactor{}
	for i := range 8 {
		r.Add(New(fmt.Sprintf("t0ken-%d-%s", i, strings.Repeat("x7", 28))))
	}
	record := strings.Repeat(`{"key":"Assess/1","call":"hetzner.server","value":{"name":"hobby-1","ipv4":"203.0.113.10"}} `, 12)
	b.SetBytes(int64(len(record)))
	for b.Loop() {
		r.Text(record)
	}
}
