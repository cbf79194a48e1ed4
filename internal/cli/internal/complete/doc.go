// Package complete completes arguments and flags of the command line by requests to the daemon:
// games, nodes, regions, images and labels. If the daemon does not respond in time, it completes
// nothing. It omits values that a shell would have to quote.
//
//	complete.go  Source: the requests, and Bind: which flags and arguments are completed
//	games.go     game ids, by the statuses that a command is for
//	nodes.go     nodes and regions
//	labels.go    images, label selectors and changes of labels
package complete
