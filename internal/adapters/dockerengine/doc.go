// Package dockerengine runs the containers of games on a Docker Engine, through the
// official client of its API.
//
// The package owns a container that has every label that Create sets, with this store,
// region and node. The image of the container must be the one that the labels name. The
// package neither returns nor changes other containers of the engine. For example, an
// operator can create a container from a commit of an owned container. It inherits the
// labels, but has another image.
//
// Containers have no privileges and bounded resources:
//
//   - no capabilities, no new privileges, an unprivileged user
//   - a read-only root file system except /tmp, no mount except the state directory
//   - limits of processes, log, memory and CPUs
//   - no restarts by the engine
//
// A malformed response of the engine is treated as no response. Callers act on a missing
// container, so a "not found" counts only if the engine's list of containers confirms it.
//
//	engine.go        Engine: connect and close
//	config.go        Config: settings, defaults, validation
//	errors.go        timeouts of calls, translation of the engine's errors
//	labels.go        the labels of a container, ownership
//	takeover.go      TakeOver of the containers of a former name of the node
//	othernodes.go    the containers of other nodes on the same Docker Engine
//	inspect.go       Inspect of one container, and the confirmation of "not found"
//	list.go          List: several containers
//	container.go     translation of a container's description
//	create.go        Create, with detection of an earlier attempt
//	spec.go          validation of a spec, the engine's options for it
//	ports.go         ports of players: their reservation, label and addresses
//	network.go       networks that a container can join
//	statedir.go      the state directory of a game
//	start.go stop.go remove.go   Start, Stop, Remove
//	logs.go          Logs: the end of a container's log; streamlogs.go StreamLogs
//	events.go        Events
//	image.go pullprogress.go     EnsureImage, and the progress of a pull
//	registryauth.go  credentials of private registries
//
// Where to add a feature:
//
//	a field of container.Spec    createOptions and validateSpec in spec.go
//	a limit or a log option      config.go, and hostConfig in spec.go
//	another kind of port         createOptions and portBinding in spec.go, ports.go, labelPorts in
//	                             labels.go, endpoint in container.go
//	a variable of all games      environment in spec.go
//	a label                      labels.go; parseOwnedLabels requires it of old containers, too
//	an error of the engine       errors.go
//	a sentence of the contract   ports.Engine and testkit/enginetest, then all engines
package dockerengine
