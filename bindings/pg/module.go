package pg

import "github.com/webhost-systems/drhost/host/binding"

// Module declares `require "pg"`.
func Module() *binding.Module {
	return binding.NewModule[*Client, settings]("pg",
		"PostgreSQL servers, whoever runs them: questions, statements, readiness, row counts, promotion of a replica, whom one follows.",
		open,
		binding.Declare(query),
		binding.Declare(execute),
		binding.Declare(ready),
		binding.Declare(waitReady),
		binding.Declare(version),
		binding.Declare(databases),
		binding.Declare(counts),
		binding.Declare(newest),
		binding.Declare(status),
		binding.Declare(integrity),
		binding.Declare(isReplica),
		binding.Declare(replication),
		binding.Declare(promote),
		binding.Declare(follow),
		binding.Declare(smoke),
		binding.Declare(terminateConnections),
	)
}
