package postgres

import (
	"fmt"
	"strconv"
	"strings"
)

// LSN is a place in the write-ahead log.
type LSN uint64

// ParseLSN reads "16/B374D848".
func ParseLSN(text string) (LSN, error) {
	high, low, ok := strings.Cut(text, "/")
	h, bad := strconv.ParseUint(high, 16, 32)
	l, worse := strconv.ParseUint(low, 16, 32)
	if !ok || bad != nil || worse != nil {
		return 0, fmt.Errorf("%q is no place in the WAL", text)
	}
	return LSN(h<<32 | l), nil
}

func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// MarshalText writes it as PostgreSQL does.
func (l LSN) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads it.
func (l *LSN) UnmarshalText(text []byte) (err error) {
	*l, err = ParseLSN(string(text))
	return err
}
