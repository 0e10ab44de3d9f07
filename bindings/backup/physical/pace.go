package physical

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func closeQuietly(ctx context.Context, conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // what fails there changes nothing
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// pace says how far a long work is, how fast it goes and how long it will take.
func pace(what string, done, of int64, took time.Duration) string {
	const mib = 1 << 20
	out := fmt.Sprintf("%s, %d MiB", what, done/mib)
	if of > 0 {
		out += fmt.Sprintf(" of %d MiB", max(of, done)/mib)
	}
	if seconds := took.Seconds(); seconds > 0.5 && done > 0 {
		rate := float64(done) / seconds
		out += fmt.Sprintf(", %.0f MiB/s", rate/mib)
		if of > done {
			out += fmt.Sprintf(", %s left", (time.Duration(float64(of-done)/rate) * time.Second).Round(time.Second))
		}
	}
	return out
}
