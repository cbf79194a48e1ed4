// Package dockerengine runs the containers of games on a Docker Engine, by the
// official client of its API.
//
// A container is ours if it carries every label that Create gives, for this very
// store, region and node, and was made of the image that they name. Whatever else
// runs on the engine is neither seen nor touched, such as what a person made of
// a commit of our container, which inherits its labels.
//
// Containers run without privileges: no capabilities, no new privileges, a root
// file system that is read-only but for /tmp, bounded processes, log, memory and
// CPUs, no restarts by the engine, an unprivileged user, and no mount but the
// game's state directory where there is one.
//
// What the engine says counts only if it makes sense. An answer that a container
// is not there, from which so much follows, counts only if the engine's list
// agrees.
package dockerengine
