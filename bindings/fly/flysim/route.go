package flysim

import "net/http"

// routes says who answers what. The words name the actions that the vendor
// limits the rate of.
func (s *Sim) routes() *http.ServeMux {
	mux := http.NewServeMux()
	const app, one = "/v1/apps/{app}", "/v1/apps/{app}/machines/{id}"
	s.route(mux, "GET /v1/apps", "", s.listApps)
	s.route(mux, "POST /v1/apps", "app_create", s.createApp)
	s.route(mux, "GET "+app, "", s.getApp)
	s.slow(mux, "DELETE "+app, "app_delete", s.deleteApp)

	s.slow(mux, "GET "+app+"/machines", "", s.listMachines)
	s.slow(mux, "POST "+app+"/machines", "machine_create", s.createMachine)
	s.slow(mux, "GET "+one, "machine_get", s.getMachine)
	s.slow(mux, "POST "+one, "machine_update", s.updateMachine)
	s.route(mux, "DELETE "+one, "machine_delete", s.destroyMachine)
	s.route(mux, "POST "+one+"/start", "machine_start", s.startMachine)
	s.route(mux, "POST "+one+"/stop", "machine_stop", s.stopMachine)
	s.route(mux, "POST "+one+"/suspend", "machine_suspend", s.suspendMachine)
	s.route(mux, "POST "+one+"/restart", "machine_restart", s.restartMachine)
	s.route(mux, "POST "+one+"/signal", "machine_signal", s.signalMachine)
	s.route(mux, "POST "+one+"/cordon", "machine_cordon", s.cordonMachine(true))
	s.route(mux, "POST "+one+"/uncordon", "machine_uncordon", s.cordonMachine(false))
	s.slow(mux, "GET "+one+"/wait", "", s.waitMachine)
	s.slow(mux, "POST "+one+"/exec", "machine_exec", s.execMachine)
	s.route(mux, "GET "+one+"/ps", "", s.processes)
	s.route(mux, "GET "+one+"/events", "", s.listEvents)
	s.route(mux, "GET "+one+"/versions", "", s.listVersions)
	s.route(mux, "GET "+one+"/lease", "", s.getLease)
	s.route(mux, "POST "+one+"/lease", "machine_lease", s.takeLease)
	s.route(mux, "DELETE "+one+"/lease", "machine_release", s.releaseLease)
	s.route(mux, "GET "+one+"/metadata", "", s.getMetadata)
	s.route(mux, "POST "+one+"/metadata/{key}", "", s.setMetadata)
	s.route(mux, "DELETE "+one+"/metadata/{key}", "", s.deleteMetadata)
	s.moreRoutes(mux, app)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		WriteError(w, http.StatusNotFound, "not_found", "404 page not found")
	})
	return mux
}

func (s *Sim) moreRoutes(mux *http.ServeMux, app string) {
	const volume = "/volumes/{volume}"
	s.route(mux, "GET "+app+"/volumes", "", s.listVolumes)
	s.slow(mux, "POST "+app+"/volumes", "volume_create", s.createVolume)
	s.route(mux, "GET "+app+volume, "", s.getVolume)
	s.route(mux, "PUT "+app+volume, "volume_update", s.updateVolume)
	s.slow(mux, "DELETE "+app+volume, "volume_delete", s.deleteVolume)
	s.route(mux, "PUT "+app+volume+"/extend", "volume_extend", s.extendVolume)
	s.route(mux, "GET "+app+volume+"/snapshots", "", s.listSnapshots)
	s.slow(mux, "POST "+app+volume+"/snapshots", "snapshot_create", s.createSnapshot)

	s.route(mux, "GET "+app+"/secrets", "", s.listSecrets)
	s.route(mux, "POST "+app+"/secrets", "secrets_update", s.updateSecrets)
	s.route(mux, "GET "+app+"/secrets/{name}", "", s.getSecret)
	s.route(mux, "POST "+app+"/secrets/{name}", "secret_set", s.setSecret)
	s.route(mux, "DELETE "+app+"/secrets/{name}", "secret_delete", s.deleteSecret)
	s.route(mux, "GET "+app+"/ip_assignments", "", s.listAddresses)
	s.route(mux, "GET "+app+"/certificates", "", s.listCertificates)

	s.route(mux, "GET /v1/platform/regions", "", s.listRegions)
	s.route(mux, "POST /v1/platform/placements", "", s.placements)

	s.managedRoutes(mux)

	s.route(mux, "GET /api/v1/apps/{app}/logs", "", s.listLogs)
	s.route(mux, "GET /api/v1/apps/{app}/releases", "", s.listReleases)
	s.route(mux, "GET /api/v1/apps/{app}/releases/current", "", s.currentRelease)
	s.route(mux, "POST /api/v1/releases", "", s.createRelease)
	s.route(mux, "PATCH /api/v1/releases/{release}", "", s.updateRelease)
	s.route(mux, "GET /api/v1/releases/all_current", "", s.releaseTimes)
	s.route(mux, "GET /api/v1/organizations", "", s.listOrganizations)
	s.route(mux, "GET /api/v1/organizations/{org}", "", s.getOrganization)
	s.route(mux, "POST /api/v1/builds", "", s.createBuild)
	s.route(mux, "POST /api/v1/builds/finish", "", s.finishBuild)
	s.route(mux, "POST /graphql", "", s.graphql)
}

// managedRoutes are those of managed Postgres, at the Machines API and where
// flyctl asks for them.
func (s *Sim) managedRoutes(mux *http.ServeMux) {
	s.route(mux, "GET /v1/postgres", "", s.listClusters)
	s.route(mux, "GET /api/v1/organizations/{org}/postgres", "", s.listClusters)
	s.route(mux, "GET /api/v1/organizations/{org}/postgres/deleted", "", func(*call) (int, any, error) { return 200, obj{"data": []obj{}}, nil })
	s.route(mux, "GET /api/v1/organizations/{org}/postgres/{cluster}", "", s.getCluster)
	for _, base := range []string{"/v1/postgres/{cluster}", "/api/v1/postgres/{cluster}"} {
		s.route(mux, "GET "+base, "", s.getCluster)
		s.route(mux, "GET "+base+"/backups", "", s.listClusterBackups)
		s.route(mux, "POST "+base+"/backups", "mpg_backup", s.createClusterBackup)
		s.route(mux, "POST "+base+"/restore", "mpg_restore", s.restoreCluster)
		s.route(mux, "POST "+base+"/fork", "mpg_fork", s.forkCluster)
		s.route(mux, base+"/{what...}", "", s.noDatabase)
	}
}
