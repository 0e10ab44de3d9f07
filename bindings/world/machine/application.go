package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database and files of the application that a hobby server runs.
const (
	Database    = "webhost_prod"
	Files       = "/var/www/webhost"
	releaseFile = Files + "/release.json"
)

// Schema makes the application's tables.
const Schema = `CREATE TABLE customers (id bigserial PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE,
	plan text NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE sync_updates (id bigserial PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers (id),
	payload jsonb NOT NULL, created_at timestamptz NOT NULL);
CREATE INDEX sync_updates_created_at ON sync_updates (created_at);`

// Application is the web application. GET /health answers out of a database
// and the application's release, 503 with a reason when one is missing.
type Application struct {
	service Service
	mux     *http.ServeMux

	mu   sync.Mutex
	conn *pgx.Conn
}

// Service is what an application stands on.
type Service struct {
	Name    string // of its server
	Region  string // where that is, if it says so
	Release func() (string, error)
	Page    func() ([]byte, error) // nil: it has none but /health
	Connect func(context.Context) (*pgx.Conn, error)
}

// NewApplication makes an application; close it when done.
func NewApplication(s Service) *Application {
	a := &Application{service: s, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /health", a.health)
	if s.Page != nil {
		a.mux.HandleFunc("GET /{$}", a.index)
	}
	return a
}

// newApplication makes the application of a guest: its files are on the
// machine's disk, its database is the machine's own.
func newApplication(g *guest) *Application {
	return NewApplication(Service{Name: g.m.spec.Name, Release: g.m.release,
		Page:    func() ([]byte, error) { return g.m.disk.read(Files + "/index.html") },
		Connect: func(ctx context.Context) (*pgx.Conn, error) { return g.m.connect(ctx, Database) }})
}

// release reads the release of the application's files on the disk.
func (m *Machine) release() (string, error) {
	data, err := m.disk.read(releaseFile)
	if err != nil {
		return "", fmt.Errorf("the application's files are missing: %w", err)
	}
	var release struct{ Release string }
	if err := json.Unmarshal(data, &release); err != nil {
		return "", fmt.Errorf("read %s: %w", releaseFile, err)
	}
	return release.Release, nil
}

// ServeHTTP is http.Handler's.
func (a *Application) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

func (a *Application) health(w http.ResponseWriter, r *http.Request) {
	answer := map[string]any{"status": "ok", "server": a.service.Name}
	if a.service.Region != "" {
		answer["region"] = a.service.Region
	}
	status := http.StatusOK
	if err := a.examine(r.Context(), answer); err != nil {
		status = http.StatusServiceUnavailable
		answer["status"], answer["reason"] = "unavailable", err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a customer who hung up
}

func (a *Application) examine(ctx context.Context, answer map[string]any) error {
	release, err := a.service.Release()
	if err != nil {
		return err
	}
	answer["release"] = release
	a.mu.Lock()
	defer a.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	customers, newest, err := a.count(ctx)
	if err != nil {
		a.hangUp()
		if customers, newest, err = a.count(ctx); err != nil { // the old connection may have died with the server
			a.hangUp()
			return fmt.Errorf("the database: %w", err)
		}
	}
	answer["customers"] = customers
	if newest != nil {
		answer["newest"] = newest.UTC().Format(time.RFC3339Nano)
	}
	return nil
}

func (a *Application) count(ctx context.Context) (customers int64, newest *time.Time, err error) {
	if a.conn == nil {
		if a.conn, err = a.service.Connect(ctx); err != nil {
			return 0, nil, err
		}
	}
	err = a.conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM customers), (SELECT max(created_at) FROM sync_updates)`).
		Scan(&customers, &newest)
	return customers, newest, err
}

func (a *Application) hangUp() {
	if a.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = a.conn.Close(ctx) // it is of no more use either way
	}
	a.conn = nil
}

func (a *Application) index(w http.ResponseWriter, _ *http.Request) {
	page, err := a.service.Page()
	if err != nil {
		http.Error(w, "the application's files are missing", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page) // a customer who hung up
}

// Close gives the database connection back.
func (a *Application) Close() error {
	go func() { // an examination may hold it and wait for a dead database
		a.mu.Lock()
		defer a.mu.Unlock()
		a.hangUp()
	}()
	return nil
}

// connect opens a connection to the machine's own database.
func (m *Machine) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig("sslmode=disable application_name=webhost user=postgres")
	if err != nil {
		return nil, err
	}
	cfg.Host, cfg.Port, cfg.Database, cfg.Password = m.socket, 5432, database, m.rack.opt.Password
	return pgx.ConnectConfig(ctx, cfg)
}
