package backup

import "github.com/webhost-systems/drhost/host/binding"

// Module declares `require "backup"`.
func Module() *binding.Module {
	return binding.NewModule[*Client, settings]("backup",
		"Backups of PostgreSQL databases in a repository, made and restored with PostgreSQL's own tools.",
		open,
		binding.Declare(create),
		binding.Declare(createCluster),
		binding.Declare(list),
		binding.Declare(newest),
		binding.Declare(lookUp),
		binding.Declare(verify),
		binding.Declare(restore),
		binding.Declare(restoreCluster),
		binding.Declare(restoreFiles),
		binding.Declare(prune),
		binding.Declare(retention),
		binding.Declare(status),
		binding.Declare(contacts),
	).WithServices(archive())
}
