// Package machine is one simulated server and the rack that holds several:
// a folder as its disk, an SSH server, a real PostgreSQL cluster and the
// application that answers /health out of it. A machine is real enough to
// fail: cutting its power kills its processes as kill -9 does and leaves the
// disk; a hung one lets connections hang.
//
// It must never let anything that speaks to a machine reach the computer it
// runs on: the shell is an interpreter with a list of programs of its own, no
// path leaves the machine's folder, and the database role that clients get is
// no superuser, since a superuser may run programs and read files.
package machine
