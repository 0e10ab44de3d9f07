package store

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/webhost-systems/drhost/host/fault"
)

func TestFaultNamesWhatWentWrong(t *testing.T) {
	at := func(err error) error { return &os.PathError{Op: "write", Path: "/backups/x", Err: err} }
	for _, c := range []struct {
		err  error
		kind fault.Kind
	}{
		{at(syscall.ENOSPC), fault.Exhausted}, {at(syscall.EDQUOT), fault.Exhausted}, {errors.Join(ErrFull, io.EOF), fault.Exhausted},
		{at(syscall.EACCES), fault.Denied}, {at(syscall.EROFS), fault.Denied}, {ErrDenied, fault.Denied},
		{at(syscall.ENOENT), fault.NotFound}, {ErrNotFound, fault.NotFound}, {at(syscall.EEXIST), fault.Conflict}, {ErrExists, fault.Conflict},
		{at(syscall.ENOTDIR), fault.Invalid}, {context.Canceled, fault.Cancelled}, {context.DeadlineExceeded, fault.Timeout},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, fault.Unavailable}, {&net.DNSError{Name: "nowhere.example"}, fault.Unavailable},
		{errors.New("something else"), fault.Failed}, {fault.New(fault.RateLimited, "slow down"), fault.RateLimited},
	} {
		err := Fault(c.err, "store x", "/backups")
		if fault.KindOf(err) != c.kind || !errors.Is(err, c.err) || !strings.HasPrefix(err.Error(), "store x: ") {
			t.Errorf("%v became %v, of kind %s", c.err, err, fault.KindOf(err))
		}
	}
	if Fault(nil, "store x", "/backups") != nil {
		t.Error("nothing went wrong")
	}
}
