package world

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// TestTheTokenIsAMacaroon: flyctl drops a token that it cannot read, and some
// of its commands take no other kind.
func TestTheTokenIsAMacaroon(t *testing.T) {
	secret := strings.Repeat("0123456789abcdef", 3)[:40]
	text, is := strings.CutPrefix(macaroon(secret), "fm2_")
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !is {
		t.Fatal(err, text)
	}
	take := func(want ...byte) {
		t.Helper()
		if !bytes.HasPrefix(raw, want) {
			t.Fatalf("% x does not begin with % x", raw, want)
		}
		raw = raw[len(want):]
	}
	blob := func(length int) {
		t.Helper()
		take(0xc4, byte(length))
		raw = raw[length:]
	}
	take(0x94) // nonce, location, caveats, signature
	take(0x93)
	blob(len(secret))
	blob(16)
	take(0xc2)
	take(append([]byte{0xa0 | 21}, "https://api.fly.io/v1"...)...)
	take(0x90)
	blob(32)
	if len(raw) != 0 {
		t.Errorf("% x is left", raw)
	}
}
