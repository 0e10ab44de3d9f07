// Package artifact is a stream on its way into a repository and back: plain,
// then compressed by zstd, then encrypted by age when there are recipients,
// and summed on both ends. It must never hold a whole artifact in memory, and
// never write a format that the programs zstd, age and sha256sum do not read.
package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/webhost-systems/drhost/bindings/backup/store"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// Record describes a stored artifact; it is part of manifests. Those of
// format 1 have only Name, Bytes and SHA256 and are plain.
type Record struct {
	Name        string `json:"name"`                   // in the folder of its backup; its endings tell the layers: dump.pgdump.zst.age
	Bytes       int64  `json:"bytes"`                  // as stored
	SHA256      string `json:"sha256"`                 // of what is stored
	PlainBytes  int64  `json:"plain_bytes,omitempty"`  // before compression
	PlainSHA256 string `json:"plain_sha256,omitempty"` // before compression
	Compression string `json:"compression,omitempty"`  // "zstd"
	Encryption  string `json:"encryption,omitempty"`   // "age"
	Unsummed    bool   `json:"-"`                      // it comes from a listing: only what zstd and age check themselves is checked
}

// Plain is the name without the layers' endings.
func (r Record) Plain() string {
	return strings.TrimSuffix(strings.TrimSuffix(r.Name, ".age"), ".zst")
}

// Seal says how artifacts are written. The zero value compresses with two
// threads and does not encrypt.
type Seal struct {
	Recipients []age.Recipient
	Threads    int               // of compression; 2 when 0
	Level      zstd.EncoderLevel // the fastest when 0: of a dump the next one takes twice as long and saves nothing
	Plain      bool              // no compression, for what is compressed already
	Packed     bool              // what is written is zstd already; nothing is known of what it holds
}

// Keys open what was sealed.
type Keys struct{ identities []age.Identity }

// None tells whether there are no keys.
func (k Keys) None() bool { return len(k.identities) == 0 }

// ParseRecipients reads public keys, as age writes them ("age1...").
func ParseRecipients(lines []string) ([]age.Recipient, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	found, err := age.ParseRecipients(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return nil, fault.New(fault.Invalid, "`recipients` in the settings of backup: %v", err).WithHint("`age-keygen -y KEYFILE` prints the recipient of a key")
	}
	return found, nil
}

// ParseKeys reads the contents of a key file of age.
func ParseKeys(identity secret.Value) (Keys, error) {
	if identity.Empty() {
		return Keys{}, nil
	}
	found, err := age.ParseIdentities(strings.NewReader(identity.Reveal()))
	if err != nil {
		// The parser's words may quote the key.
		return Keys{}, fault.New(fault.Invalid, "`identity` in the settings of backup refers to no key of age").WithHint("it holds a line AGE-SECRET-KEY-1..., as age-keygen writes it")
	}
	return Keys{found}, nil
}

// Write stores what fill writes as folder/name plus the endings of the layers.
// An error of fill is returned as it is, and then nothing was stored.
func Write(ctx context.Context, to store.Store, folder, name string, seal Seal, fill func(io.Writer) error) (Record, error) {
	r := Record{Name: name}
	if !seal.Plain {
		r.Compression = "zstd"
		r.Name += ".zst"
	}
	if len(seal.Recipients) > 0 {
		r.Encryption = "age"
		r.Name += ".age"
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, in := io.Pipe()
	stored, plain := newSum(in), newSum(nil)
	if seal.Packed {
		plain.hash = nil
	}
	filled := make(chan error, 1)
	go func() {
		err := pack(stored, plain, seal, fill)
		in.CloseWithError(err) // nil: the end
		filled <- err
	}()
	err := to.Put(ctx, folder+"/"+r.Name, out)
	out.CloseWithError(errStored) // a fill that still writes stops
	if failed := <-filled; failed != nil && !errors.Is(failed, errStored) {
		err = failed
	}
	if err != nil {
		return Record{}, err
	}
	r.Bytes, r.SHA256 = stored.bytes, stored.text()
	if !seal.Packed {
		r.PlainBytes, r.PlainSHA256 = plain.bytes, plain.text()
	}
	return r, nil
}

// errStored ends a fill whose store has given up.
var errStored = errors.New("the store took no more")

// pack runs fill through the layers into out.
func pack(out io.Writer, plain *sum, seal Seal, fill func(io.Writer) error) error {
	var layers []io.Closer
	if len(seal.Recipients) > 0 {
		w, err := age.Encrypt(out, seal.Recipients...)
		if err != nil {
			return err
		}
		out, layers = w, append(layers, w)
	}
	if !seal.Plain && !seal.Packed {
		level := seal.Level
		if level == 0 {
			level = zstd.SpeedFastest
		}
		threads := seal.Threads
		if threads == 0 {
			threads = 2
		}
		w, err := zstd.NewWriter(out, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(threads), zstd.WithZeroFrames(true))
		if err != nil {
			return err
		}
		out, layers = w, append(layers, w)
	}
	plain.to = out
	if err := fill(plain); err != nil {
		return err // the layers stay open: what was written has no end, and is not stored
	}
	for n := len(layers) - 1; n >= 0; n-- {
		if err := layers[n].Close(); err != nil {
			return err
		}
	}
	return nil
}

// sum counts and hashes what passes through it; without a hash it only counts.
type sum struct {
	to    io.Writer
	hash  hash.Hash
	bytes int64
}

func newSum(to io.Writer) *sum { return &sum{to: to, hash: sha256.New()} }

func (s *sum) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	if s.hash != nil {
		s.hash.Write(p[:n])
	}
	s.bytes += int64(n)
	return n, err
}

func (s *sum) text() string { return hex.EncodeToString(s.hash.Sum(nil)) }
