package artifact

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/bindings/backup/store/localstore"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

func place(t *testing.T) *localstore.Store {
	t.Helper()
	s, err := localstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pair(t *testing.T) (age.Recipient, Keys) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys(secret.New("# made by a test\n" + identity.String() + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	to, err := ParseRecipients([]string{identity.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	return to[0], keys
}

// text is half noise and half not, so that it has many blocks and compresses.
func text(size int) []byte {
	out := make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	for n := 0; n < size; n += 8192 {
		_, _ = r.Read(out[n:min(n+4096, size)])
	}
	return out
}

func written(t *testing.T, s store.Store, seal Seal, content []byte) Record {
	t.Helper()
	r, err := Write(t.Context(), s, "db/1", "dump.pgdump", seal, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t *testing.T, s store.Store, r Record, keys Keys) ([]byte, error) {
	t.Helper()
	in, err := Open(t.Context(), s, "db/1", r, keys)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

func TestThereAndBack(t *testing.T) {
	to, keys := pair(t)
	other, _ := pair(t)
	for name, seal := range map[string]Seal{
		"dump.pgdump": {Plain: true}, "dump.pgdump.zst": {}, "dump.pgdump.age": {Plain: true, Recipients: []age.Recipient{to}},
		"dump.pgdump.zst.age": {Recipients: []age.Recipient{other, to}},
	} {
		for _, size := range []int{0, 1, 5 << 20} {
			s, content := place(t), text(size)
			r := written(t, s, seal, content)
			if r.Name != name || r.Plain() != "dump.pgdump" || r.PlainBytes != int64(size) {
				t.Fatalf("%+v", r)
			}
			if info, err := s.Stat(t.Context(), "db/1/"+name); err != nil || info.Bytes != r.Bytes {
				t.Fatal(info, err)
			}
			if err := errors.Join(Check(t.Context(), s, "db/1", r), Fits(t.Context(), s, "db/1", r, keys)); err != nil {
				t.Fatal(err)
			}
			got, err := read(t, s, r, keys)
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("%s of %d: %d bytes, %v", name, size, len(got), err)
			}
		}
	}
}

func TestAWrongKeyGivesNothing(t *testing.T) {
	to, _ := pair(t)
	_, wrong := pair(t)
	s := place(t)
	r := written(t, s, Seal{Recipients: []age.Recipient{to}}, text(100_000))
	for _, keys := range []Keys{wrong, {}} {
		got, err := read(t, s, r, keys)
		if len(got) != 0 || fault.KindOf(err) != fault.Denied || errors.Is(err, ErrDamaged) || fault.KindOf(Fits(t.Context(), s, "db/1", r, keys)) != fault.Denied {
			t.Fatal(len(got), err)
		}
	}
	if err := Check(t.Context(), s, "db/1", r); err != nil {
		t.Fatal("the sum needs no key:", err)
	}
	if _, err := ParseKeys(secret.New("AGE-SECRET-KEY-1NONSENSE")); fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "NONSENSE") {
		t.Fatal(err)
	}
}

// TestEveryDamageIsFound flips bits and cuts at many places, of every layering.
func TestEveryDamageIsFound(t *testing.T) {
	to, keys := pair(t)
	for _, seal := range []Seal{{}, {Plain: true}, {Recipients: []age.Recipient{to}}} {
		s := place(t)
		content := text(300_000)
		r := written(t, s, seal, content)
		path := s.Path("db/1/" + r.Name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 40 {
			at := n * (len(whole) - 1) / 39
			flipped := bytes.Clone(whole)
			flipped[at] ^= 1 << (n % 8)
			for what, bad := range map[string][]byte{"flipped": flipped, "cut": whole[:at], "longer": append(bytes.Clone(whole), whole[:at+1]...)} {
				if err := os.WriteFile(path, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := Check(t.Context(), s, "db/1", r); !errors.Is(err, ErrDamaged) || fault.KindOf(err) != fault.Failed {
					t.Fatalf("%s at %d of %s: %v", what, at, r.Name, err)
				}
				if _, err := read(t, s, r, keys); err == nil {
					t.Fatalf("%s at %d of %s was read to its end", what, at, r.Name)
				}
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := Check(t.Context(), s, "db/1", r); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "missing") {
			t.Fatal(err)
		}
	}
}

func TestAFillThatFailsStoresNothing(t *testing.T) {
	s := place(t)
	killed := errors.New("pg_dump was killed")
	_, err := Write(t.Context(), s, "db/1", "dump", Seal{}, func(w io.Writer) error {
		_, _ = w.Write(text(3 << 20))
		return killed
	})
	if !errors.Is(err, killed) {
		t.Fatal(err)
	}
	if found, err := s.List(t.Context(), ""); err != nil || len(found) != 0 {
		t.Fatal(found, err)
	}
}

// full is a store that takes some bytes and then has no room.
type full struct{ store.Store }

func (full) Put(_ context.Context, _ string, content io.Reader) error {
	_, _ = io.CopyN(io.Discard, content, 1<<20)
	return store.Fault(store.ErrFull, "store dump", "the test")
}

func TestAStoreThatIsFullStopsTheFill(t *testing.T) {
	stopped := false
	_, err := Write(t.Context(), full{}, "db/1", "dump", Seal{Plain: true}, func(w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				stopped = true
				return err
			}
		}
	})
	if !stopped || fault.KindOf(err) != fault.Exhausted {
		t.Fatal(stopped, err)
	}
}

// discards is a store that keeps nothing.
type discards struct{ store.Store }

func (discards) Put(_ context.Context, _ string, content io.Reader) error {
	_, err := io.Copy(io.Discard, content)
	return err
}

// TestNothingIsHeldWhole writes far more than the memory that it may take.
func TestNothingIsHeldWhole(t *testing.T) {
	to, _ := pair(t)
	block := text(1 << 20)
	var most uint64
	r, err := Write(t.Context(), discards{}, "db/1", "dump", Seal{Recipients: []age.Recipient{to}}, func(w io.Writer) error {
		for n := range 400 {
			if _, err := w.Write(block); err != nil {
				return err
			}
			if n%50 == 0 {
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapInuse)
			}
		}
		return nil
	})
	if err != nil || r.PlainBytes != 400<<20 {
		t.Fatal(r, err)
	}
	if most > 160<<20 {
		t.Fatalf("%d MiB were in use", most>>20)
	}
	t.Logf("at most %d MiB were in use", most>>20)
}
