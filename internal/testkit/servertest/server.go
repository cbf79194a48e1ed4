// Package servertest creates API servers with the cluster service behind them, as the
// daemon does.
package servertest

import (
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/adapters/httpserver/peer"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/cluster"
)

// Config configures a server and its cluster service. New sets Config.Cluster and
// Config.Peers.
type Config struct {
	httpserver.Config
	// Local runs the games of the node; nil for a daemon without an engine.
	Local cluster.LocalNode
	// Nodes is the registry of nodes; nil for a daemon that is not part of a cluster.
	Nodes ports.NodeRegistry
	// PeerTimeout bounds a request of the cluster service to another node.
	PeerTimeout time.Duration
}

// New returns a server of the store. closeIdle closes the connections to other nodes.
func New(store httpserver.Store, cfg Config) (server *httpserver.Server, closeIdle func(), err error) {
	client := peer.New(peer.Config{Self: node.Ref{Region: cfg.Region, Name: cfg.Node}, Logger: cfg.Logger})
	cfg.Peers = client
	if intents, hasIntents := store.(httpserver.Intents); hasIntents && cfg.Intents == nil {
		cfg.Intents = intents
	}
	if store != nil {
		cfg.Cluster = cluster.New(
			cluster.Dependencies{Records: store, Nodes: cfg.Nodes, Local: cfg.Local, Peer: client},
			cluster.Config{Region: cfg.Region, Node: cfg.Node, PeerTimeout: cfg.PeerTimeout, ErrorText: httpserver.PublicText, Logger: cfg.Logger},
		)
	}
	server, err = httpserver.New(store, cfg.Config)
	return server, client.CloseIdleConnections, err
}
