// Package nodetest runs whole nodes in tests: a real store on a real etcd, a real process
// engine, and the services and workers between them. The games are built from
// cmd/gameserver.
//
//	node.go    Node: New, Run, Execute
//	faults.go  Partition, Reconnect, Crash, Restart
//	game.go    requests to a running game
//	images.go  Main: builds the images of the games
//	docker.go  the same images for a Docker Engine
package nodetest
