package members

import "time"

// settings are those of one member, the first line of its standard input, in JSON.
type settings struct {
	Name string `json:"name"`
	// Dir is the directory of all files of the member, which it creates and removes. It
	// removes the directory above as well, if that is empty.
	Dir            string `json:"dir"`
	ClientURL      string `json:"client_url"`
	PeerURL        string `json:"peer_url"`
	InitialCluster string `json:"initial_cluster"`
	Token          string `json:"token"`
}

// responseReady is the first response, when the member serves requests of etcd.
const responseReady = "ready"

// Requests. A response is a line that starts with responseOK or responseError.
const (
	// requestCPU returns the CPU time that the process of the member has used, in
	// nanoseconds.
	requestCPU = "cpu"
	// requestProfile starts a CPU profile in the file whose name follows. requestProfileEnd
	// completes it.
	requestProfile    = "profile "
	requestProfileEnd = "profile-end"

	responseOK    = "ok "
	responseError = "error "
)

const (
	// startTimeout bounds the start of a cluster, also on a busy machine.
	startTimeout = 2 * time.Minute
	// stopTimeout is how long a member may take to stop before it is killed.
	stopTimeout = 10 * time.Second
)
