// Package health probes the running games of one node, and enqueues those that become
// unhealthy or healthy.
//
//	worker.go  Worker: its configuration, its loop and Pass
//	result.go  the results of the probes, and Unhealthy
//	specs.go   a cache of the games' specs, which name the health checks
//
// A game is unhealthy after Config.Failures failed probes in a row. The result belongs to
// one run of the game: container and start time.
package health
