package backup

import (
	"context"
	"net"
	"strconv"
	"strings"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/fault"
)

// server completes a host from the settings and resolves the password.
func (c *Client) server(host string) (postgres.Server, error) {
	s := postgres.Server{Host: host, Port: c.set.Port, User: c.set.User, SSLMode: c.set.SSLMode, Password: c.set.Password}
	override(&s, c.set.Hosts[host])
	if h, p, err := net.SplitHostPort(host); err == nil {
		override(&s, c.set.Hosts[h])
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return s, fault.New(fault.Invalid, "%q names no usable port", host)
		}
		s.Host, s.Port = h, n
	}
	if s.Host = strings.Trim(s.Host, "[]"); s.Host == "" {
		return s, fault.New(fault.Invalid, "the host is empty")
	}
	if s.Password.Empty() {
		password, err := c.env.Secret(passwordDefault)
		if err != nil {
			return s, err
		}
		s.Password = password
	}
	return s, nil
}

func override(s *postgres.Server, own serverSettings) {
	if own.User != "" {
		s.User = own.User
	}
	if !own.Password.Empty() {
		s.Password = own.Password
	}
	if own.Port != 0 {
		s.Port = own.Port
	}
	if own.SSLMode != "" {
		s.SSLMode = own.SSLMode
	}
}

// tools are pg_dump and pg_restore of at least that major version.
func (c *Client) tools(ctx context.Context, needed int) (postgres.Tools, error) {
	return postgres.Find(ctx, postgres.Need{Bin: c.set.Bin, Programs: []string{"pg_dump", "pg_restore"}, AtLeast: needed, Package: "postgresql-client"})
}
