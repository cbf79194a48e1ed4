// Package dockerengine runs the containers of games on a Docker Engine, through the
// official client of its API.
//
// The package owns a container if the container has every label that Create sets, with
// this store, region and node, and if its image is the one that the labels name. It
// neither returns nor changes other containers of the engine. An example is a container
// that an operator created from a commit of an owned container, which inherits its labels.
//
// Containers have no privileges: no capabilities, no new privileges, a read-only root file
// system except /tmp, limits of processes, log, memory and CPUs, no restarts by the engine,
// an unprivileged user, and no mount except the state directory of the game.
//
// A malformed response of the engine is treated as no response. Callers act on a missing
// container, so a "not found" counts only if the engine's list of containers confirms it.
//
//	engine.go        Engine: connect and close
//	config.go        Config: settings, defaults, validation
//	errors.go        timeouts of calls, translation of the engine's errors
//	labels.go        the labels of a container, ownership
//	inspect.go       one container: Inspect, and the confirmation of "not found"
//	list.go          List: several containers
//	container.go     translation of a container's description
//	create.go        Create, with detection of an earlier attempt
//	spec.go          validation of a spec, the engine's options for it
//	network.go       networks that a container can join
//	statedir.go      the state directory of a game
//	start.go stop.go remove.go   Start, Stop, Remove
//	logs.go          Logs: the end of a container's log
//	events.go        Events
//	image.go pullprogress.go     EnsureImage, and the progress of a pull
package dockerengine
