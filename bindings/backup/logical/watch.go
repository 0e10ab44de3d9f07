package logical

import (
	"context"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
)

// watch says how far a restore is, by the size of what is there already; stop
// ends it. Only a connection of its own can ask, and without one nothing is
// said.
func (w *work) watch(ctx context.Context) (stop func()) {
	inner, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := w.engine.Way.Connect(inner, w.Server, "postgres")
		if err != nil {
			return
		}
		defer postgres.CloseQuietly(ctx, conn)
		// Real work is watched, which no drill's speed shortens.
		real := clock.System{}
		for began := real.Now(); real.Sleep(inner, 2*time.Second) == nil; {
			var size int64
			if conn.QueryRow(inner, "select pg_database_size($1::text)", w.beside).Scan(&size) != nil {
				return
			}
			binding.Progress(inner, "%s", artifact.Rate("restoring "+w.backup.ID, size, w.backup.Size, real.Now().Sub(began)))
		}
	}()
	return func() { cancel(); <-ended }
}
