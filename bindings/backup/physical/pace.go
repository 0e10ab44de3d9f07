package physical

import (
	"context"
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
