// Package gameports chooses the ports of a node at which players reach games. Both engines
// use it: a port is reserved by the container that has it, so this package keeps no state.
//
//	range.go     the range of a node, and the choice of a port in it
//	reserved.go  the ports of the containers of a node
//	key.go     a port of a node, and whether another program uses it
package gameports
