package artifact

import (
	"context"
	"errors"
	"io"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
)

// ErrDamaged is the cause of a fault that says that an artifact is not what
// was stored: missing, cut off or changed.
var ErrDamaged = errors.New("the artifact is damaged")

// Another is what to do about a backup that is no good.
const Another = "take another backup, drhost backup list shows them, and find out what became of this one: it was read back whole when it was made"

// Damaged makes such a fault.
func Damaged(format string, args ...any) error {
	f := fault.New(fault.Failed, format, args...).NothingDone().WithHint(Another)
	f.Cause = ErrDamaged
	return f
}

// Check reads what is stored from the first to the last byte and compares it
// with its record. It needs no key. ErrDamaged tells a difference.
func Check(ctx context.Context, from store.Store, folder string, r Record) error {
	in, err := from.Open(ctx, folder+"/"+r.Name, 0)
	if errors.Is(err, store.ErrNotFound) {
		return Damaged("%s is missing", r.where(from, folder))
	}
	if err != nil {
		return err
	}
	defer in.Close()
	got := newSum(io.Discard)
	if _, err := io.Copy(got, store.NewSource(ctx, in)); err != nil {
		return err
	}
	return compare(r.where(from, folder), got, r.Bytes, r.SHA256)
}

// where names an artifact for people.
func (r Record) where(from store.Store, folder string) string {
	return folder + "/" + r.Name + " in " + from.Place()
}

func compare(name string, got *sum, bytes int64, sha256 string) error {
	if got.bytes != bytes {
		return Damaged("%s has %d bytes instead of %d", name, got.bytes, bytes)
	}
	if got.text() != sha256 {
		return Damaged("%s does not match its checksum: its bytes have changed since", name)
	}
	return nil
}

// Open reads an artifact's plain bytes. A key that does not fit is an error
// here, before a byte comes out. The sums are compared at the end, where a
// difference is an error in place of io.EOF: who cannot take back what it
// was given calls Check first.
func Open(ctx context.Context, from store.Store, folder string, r Record, keys Keys) (io.ReadCloser, error) {
	if r.Encryption != "" && r.Encryption != "age" || r.Compression != "" && r.Compression != "zstd" {
		return nil, fault.New(fault.Invalid, "%s is stored in a way that this drhost does not know: %s %s", r.Name, r.Compression, r.Encryption).
			WithHint("use the version of drhost that made it, or a newer one")
	}
	if r.Encryption != "" && len(keys.identities) == 0 {
		return nil, fault.New(fault.Denied, "%s is encrypted, and there is no key", r.Name).
			WithHint("`identity` in the settings of backup refers to the key: \"file:...\" or \"sealed:...\"")
	}
	in, err := from.Open(ctx, folder+"/"+r.Name, 0)
	if errors.Is(err, store.ErrNotFound) {
		return nil, Damaged("%s is missing", r.where(from, folder))
	}
	if err != nil {
		return nil, err
	}
	o := &opened{record: r, name: r.where(from, folder), stored: newSum(io.Discard), plain: newSum(io.Discard), source: store.NewSource(ctx, in), in: in}
	if r.PlainSHA256 == "" {
		o.plain.hash = nil
	}
	if err := o.unpack(keys); err != nil {
		in.Close()
		return nil, err
	}
	return o, nil
}

// Fits tells whether keys open an artifact, by its header alone.
func Fits(ctx context.Context, from store.Store, folder string, r Record, keys Keys) error {
	if r.Encryption == "" {
		return nil
	}
	o, err := Open(ctx, from, folder, r, keys)
	if err != nil {
		return err
	}
	return o.Close()
}

// opened is an artifact that is being read.
type opened struct {
	record        Record
	name          string // for people
	in            io.Closer
	source        *store.Source
	stored, plain *sum
	layers        io.Reader
	zstd          *zstd.Decoder
}

func (o *opened) unpack(keys Keys) error {
	var err error
	o.layers = io.TeeReader(o.source, o.stored)
	if o.record.Encryption != "" {
		o.layers, err = age.Decrypt(o.layers, keys.identities...)
		var none *age.NoIdentityMatchError
		switch {
		case o.source.Err != nil:
			return o.source.Err
		case errors.As(err, &none):
			return fault.New(fault.Denied, "the key does not open %s: it was encrypted for somebody else", o.record.Name).
				WithHint("`identity` in the settings of backup has to refer to a key of one of the recipients in the manifest")
		case err != nil:
			return Damaged("%s cannot be decrypted: %s", o.name, strings.TrimPrefix(err.Error(), "failed to read header: "))
		}
	}
	if o.record.Compression != "" {
		o.zstd, err = zstd.NewReader(o.layers, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return err
		}
		o.layers = o.zstd
	}
	return nil
}

func (o *opened) Read(p []byte) (int, error) {
	n, err := o.layers.Read(p)
	if n > 0 {
		_, _ = o.plain.Write(p[:n]) // into a hash
	}
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF:
		if err := o.finish(); err != nil {
			return n, err
		}
		return n, io.EOF
	case o.source.Err != nil:
		return n, o.source.Err
	}
	return n, Damaged("%s cannot be read on after %d bytes: %v", o.name, o.plain.bytes, err)
}

// finish compares the sums once the last plain byte was read.
func (o *opened) finish() error {
	if _, err := io.Copy(io.Discard, io.TeeReader(o.source, o.stored)); err != nil { // what follows the layers' end
		return err
	}
	if o.record.Unsummed {
		return nil
	}
	if err := compare(o.name, o.stored, o.record.Bytes, o.record.SHA256); err != nil || o.record.PlainSHA256 == "" {
		return err
	}
	return compare(o.name, o.plain, o.record.PlainBytes, o.record.PlainSHA256)
}

func (o *opened) Close() error {
	if o.zstd != nil {
		o.zstd.Close()
	}
	return o.in.Close()
}
