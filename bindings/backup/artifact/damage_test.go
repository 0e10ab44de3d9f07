package artifact

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/host/fault"
)

// TestWhatDamageSays: what is wrong, where, and what to do.
func TestWhatDamageSays(t *testing.T) {
	repo, err := localstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := Write(t.Context(), repo, "shop/1", "dump", Seal{}, func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("some rows ", 1000))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	path := repo.Path("shop/1/" + r.Name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(string(text))
	flipped[len(flipped)/2] ^= 1
	for says, damage := range map[string]func() error{
		"is missing":                  func() error { return os.Remove(path) },
		"bytes instead of":            func() error { return os.WriteFile(path, text[:len(text)/2], 0o600) },
		"does not match its checksum": func() error { return os.WriteFile(path, flipped, 0o600) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		err := Check(t.Context(), repo, "shop/1", r)
		f := fault.As(err)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(f.Message, "shop/1/"+r.Name+" in "+repo.Place()) || !strings.Contains(f.Message, says) || f.Hint != Another {
			t.Errorf("%s: %+v", says, f)
		}
		in, err := Open(t.Context(), repo, "shop/1", r, Keys{})
		if err == nil {
			_, err = io.Copy(io.Discard, in)
			in.Close()
		}
		if f := fault.As(err); !errors.Is(err, ErrDamaged) || !strings.Contains(f.Message, "shop/1/"+r.Name+" in "+repo.Place()) || f.Hint != Another {
			t.Errorf("%s, read: %+v", says, f)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
