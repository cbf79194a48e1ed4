package main

import (
	"reflect"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/domain/container"
)

// isOpenEnum reports whether a type has values in addition to its constants.
func isOpenEnum(t reflect.Type) bool { return t == reflect.TypeFor[container.EngineKind]() }

// mayBeEmpty reports whether a member is sometimes the empty text instead of a constant.
func mayBeEmpty(t reflect.Type, member request.Member) bool {
	switch componentName(t) + "." + member.Name {
	case "LedgerEntry.from", "OperationIntent.desired_status", "DriftApplyResult.action":
		return true
	}
	return false
}

// typeDescriptions describes components by name.
func typeDescriptions() map[string]string {
	return map[string]string{
		"RuntimeRecord":       "The state of one game's runtime. Times are UTC; one that does not apply is absent.",
		"RuntimeRecordBody":   "A record to write. game_id may be omitted; the status decides which times and ids are required.",
		"LedgerEntry":         "One transition of a record.",
		"StartRequest":        "How the game is run. Without members, or with region and node only, the game keeps its previous spec. Otherwise the members replace the whole spec: an omitted image keeps its value, and any other omitted member has its default.",
		"EmptyRequest":        "Nothing, or an object without members.",
		"Problem":             "An error. Members that do not apply are absent.",
		"Code":                "The stable identifier of a kind of problem, for programs.",
		"OperationOutcome":    "The end of an operation.",
		"OperationPreemption": "A stop that follows the operation that it has preempted.",
		"OperationIntent":     "The desired state of a game, with the operation in progress and the recent outcomes.",
		"DriftFinding":        "One difference between record, intent and engine. Applying it does nothing if the record or the intent has changed since.",
		"DriftExplanation":    "All information about one game. Information that could not be read is absent, and a warning names it.",
		"Node":                "A daemon that is part of the cluster, as it describes itself.",
		"NodeRef":             "The name of a node.",
	}
}

// memberDescriptions describes the members of the domain's types, by component and member.
// The empty component name is the default for all other components.
func memberDescriptions() map[string]map[string]string {
	record := map[string]string{
		"status":               "The status of the game's container",
		"region":               "The region that the game lives in; may be empty",
		"node":                 "The node that the game lives on; may be empty",
		"current_container_id": "The engine's id of the container; empty if the game is removed",
		"current_image_ref":    "The image of the container",
		"image_digest":         "The identity of the content of the image that the container was created from; absent if unknown",
		"engine_endpoint":      "The address at which the game is reached; empty unless it runs",
		"state_path":           "The directory on the node that holds the game's state",
		"docker_network":       "The network of the container",
		"labels":               "The labels by which selectors select the game",
		"metadata":             "A JSON object of the user, of at most 8 KiB and 8 levels",
		"ports":                "The addresses at which players reach the game; absent unless it runs",
		"desired_status":       "The status that the last operation requested",
		"health":               "The result of the health check of a running game: healthy, unhealthy, unknown (no result yet, or the engine or node does not respond) or none (no health check)",
		"health_since":         "The time at which the health last changed",
		"restart_pending":      "Whether the game crashed and is going to be restarted; it keeps its place on its node",
		"restarts":             "The number of restarts after crashes within the window of the crash policy",
		"crash_loop":           "Whether the game crashed and has no restart left",
		"node_lost_at":         "The time at which the loss of the game's node was detected; absent if it is not lost",
		"operation":            "The operation in progress",
		"request_cpus":         "CPUs that the game requests of its node; absent if it requests none",
		"request_memory_bytes": "Bytes of memory that the game requests of its node; absent if it requests none",
		"ready":                "Whether players can use the game: it runs on a node that is not lost, and its health check, if any, passes. The server derives it and ignores it in requests",
		"generation":           "The number of containers that this game has had",
		"created_at":           "The time of the first record of the game",
		"last_op_at":           "The time of the last operation; for display, not for ordering",
		"started_at":           "The time at which the container last started",
		"stopped_at":           "The time at which the container stopped",
		"removed_at":           "The time at which the container was removed",
	}
	return map[string]map[string]string{
		"": {
			"game_id":         "The game; 1 to 256 bytes of UTF-8 without control characters",
			"region":          "The region",
			"node":            "The node",
			"revision":        "The revision of the last change",
			"operation_id":    "The id of the operation",
			"request_hash":    "The hash of kind and settings of the request; absent if there was no request",
			"stop_grace":      "The stop grace of this stop; absent for that of the game",
			"kind":            "The kind",
			"actor":           "The actor that requested it",
			"reason":          "The reason",
			"container_id":    "The engine's id of the container",
			"image":           "The image",
			"started_at":      "The time of the start",
			"record":          "The record",
			"automatic":       "Whether the daemon requested it, not an operator or a client",
			"image_digest":    "The identity of the content of the image; absent if unknown",
			"pull":            "Whether the image is pulled even if it is on the node",
			"unchanged":       "Whether there was nothing to do",
			"generation":      "The number of the container among those that the game has had",
			"failure":         "Why it failed; absent if it succeeded",
			"id":              "The id",
			"name":            "The name",
			"record_revision": "The revision of the record; 0 if there is none",
			"intent_revision": "The revision of the intent; 0 if there is none",
		},
		"RuntimeRecord": record,
		"Port": {
			"name":           "The name of the port",
			"protocol":       "The transport protocol",
			"container_port": "The port that the game listens on in its container",
			"host":           "The address for players: an IP address without brackets, or a DNS name",
			"port":           "The port at that address",
		},
		"OperationInProgress": {
			"id":         "The id of the operation",
			"kind":       "What the operation does",
			"started_at": "The time at which it was accepted",
		},
		"LedgerEntry": {
			"seq": "The number of the transition, from 1", "from": "The status before; empty for the first record", "to": "The status after",
			"at": "The time of the transition, as its writer gave it", "operation_id": "The id of the write, or of its operation",
			"actor": "The actor; may be empty", "reason": "The reason; may be empty", "revision": "The revision of the write",
		},
		"StartRequest":        specDescriptions(),
		"OperationSpec":       specDescriptions(),
		"OperationOutcome":    {"finished_at": "The time of the end", "record": "The record after the operation", "region": "The region of the node that executed it", "node": "The node that executed it", "attempts": "The nodes on which a start failed before it continued on this one"},
		"OperationPreemption": {"at": "The time of the request, by the clock of the node"},
		"OperationFailure":    {"code": "The stable identifier of the kind of failure", "message": "A description of the failure", "node_fault": "Whether the reason is the node, such as its engine, its images or its ports, and not the game"},
		"OperationAttempt":    {"region": "The region of the node", "node": "The node on which the start failed", "failure": "Why it failed there"},
		"OperationIntent":     {"desired_status": "The status that the last successful operation aimed at", "spec": "How the game is run", "labels": "The labels that the last start named", "metadata": "The metadata that the last start named", "current": "The operation in progress", "recent": "The latest outcomes, newest first", "restarts": "The times of the restarts after crashes, newest first"},
		"Operation":           operationDescriptions(),
		"OperationPortSpec": {
			"name":           "The name, unique within the game: up to 32 lower-case letters, digits and hyphens, the first a letter. The variable PORT_NAME of the game has the number to listen on",
			"protocol":       "The transport protocol; default tcp",
			"container_port": "The port that the game listens on inside its container; 0 or absent means the port of the node, as for local processes",
			"port":           "The port of the node; 0 or absent lets the node choose one of its range",
		},
		"OperationHealthCheck": {
			"kind":              "http sends GET requests to the main port, tcp connects to it, exec runs a command in the container, heartbeat reads when the game last modified the file heartbeat in its HOME, none checks nothing; default http, exec with a command, or none if health_path is none",
			"exec":              "The command of the kind exec",
			"port":              "The name of the TCP port of ports that http and tcp use; default the main port",
			"path":              "The path of the kind http; default health_path",
			"start_delay":       "How long after a start failures do not count, such as 30s; the start waits for that much longer",
			"interval":          "The least time between two checks, or the greatest age of a heartbeat, such as 10s; the node checks no more often than at its own interval",
			"timeout":           "How long one check may take, such as 2s",
			"failure_threshold": "The number of failures in a row that make the game unhealthy; 0 or absent means that of the node, which is 3",
		},
		"OperationHealthCommand": {
			"command": "The program, and then each argument, without a shell; the game is healthy if it exits with 0",
		},
		"OperationCrashPolicy": {
			"condition": "Which exits are crashes: any, or on-failure for those with another code than 0; default any", "attempts": "The maximum number of restarts within the window; 0 is none", "window": "The length of the window, such as 10m", "delay": "The time between exit and restart, such as 1s",
		},
		"DriftFinding": {
			"id": "The id of the finding, as long as it is the same", "region": "The region of the node that reports it", "node": "The node that reports it",
			"action": "The proposed action", "evidence": "A description of the observation",
			"proven":     "Whether the engine or a newer generation proves that the container is obsolete; the brake does not block it then",
			"blocked_by": "What blocks the action; absent if it is done automatically", "first_seen": "The time of the first observation, by the node's clock",
			"observations": "The number of observations", "container_id": "The container that the finding is about",
		},
		"DriftReport":          {"findings": "The findings", "brakes": "The brakes that are on", "missing": "The nodes that did not respond, whose findings are missing"},
		"DriftBrake":           {"since": "The time at which the brake engaged", "reason": "Why it engaged"},
		"DriftUnreachableNode": {"reason": "Why it did not respond"},
		"DriftApplyResult":     {"id": "The id of the finding", "action": "The action", "status": "The result", "reason": "Why it was not applied"},
		"DriftExplanation": {
			"intent": "The intent; absent for a game without operations", "history": "The ledger, newest first", "containers": "The game's containers on its node",
			"logs": "The last lines of the log of the record's container", "findings": "The findings of the game", "warnings": "The information that could not be read, and why",
		},
		"Offer": {
			"has_image": "Whether the node has the image and need not pull it", "failures": "How many recent starts of the image failed on the node since the last one that succeeded",
			"starting": "How many games the node is starting that have no reservation",
		},
		"Container": {
			"labels": "The labels of the container", "state": "The state of the container", "exit_code": "The exit code of a container that has exited",
			"oom_killed": "Whether the container was killed because it ran out of memory", "paused": "Whether the processes of the running container are frozen", "engine_restarted_at": "When the engine or its machine restarted, if that may have ended the container",
			"stop_killed": "Whether a stop had to kill the container after its grace period", "child_oom_killed": "Whether a process of the container other than its first was killed because memory ran out", "exited_at": "The time of the exit",
			"endpoint": "The address at which the game is reached", "ports": "The addresses at which players reach the game; absent unless it runs", "state_path": "The directory that holds the game's state", "network": "The network of the container",
		},
		"NodeTaint":      {"key": "The key", "value": "The value", "effect": "NoSchedule keeps games off that do not tolerate the taint; PreferNoSchedule prefers other nodes"},
		"NodeToleration": {"key": "The key of taints; empty matches every taint", "operator": "Equal compares the value, Exists matches any; default Exists without a value", "value": "The value of taints", "effect": "The effect of taints; empty matches both"},
		"ContainerLabels": {
			"store":   "The store that the container belongs to",
			"secrets": "The versions of the secrets that the container was created with, NAME@VERSION separated by commas; it has no values",
		},
		"Node": {
			"name": "The name, unique within the region", "api": "The URL at which other nodes reach it", "version": "The version of the daemon",
			"engine":   "The engine that runs its games: docker or process; empty for a node that runs none",
			"instance": "The identity of the daemon's process", "identity": "The identity of the node, which its data directory keeps",
			"public_address": "The IP address or DNS name at which players reach its games; absent if it is not set",
			"game_ports":     "The range of its ports for players, such as 20000-29999; absent if it has none",
			"capacity":       "What its games may use together; absent if nothing is limited", "labels": "The labels that node selectors match", "taints": "What keeps games off that do not tolerate it",
			"now": "The node's clock when it last updated its presence", "session": "The revision at which its presence was created",
			"settings": "What operators have set for the node, such as a cordon; absent if nothing",
		},
	}
}

func specDescriptions() map[string]string {
	return map[string]string{
		"image":                "An image reference, or NAME:VERSION below the images directory of an engine of local processes",
		"args":                 "Arguments of the image's command",
		"env":                  "Environment variables of the container. They are stored in plain text: use secrets for secret values",
		"secrets":              "Names of secrets whose keys become environment variables of the container. Variables of env take precedence, and a later secret over an earlier one",
		"network":              "The engine's network to join",
		"port":                 "The port of the node at which the game is reached; 0 or absent lets the engine choose",
		"container_port":       "The port that the game listens on inside its container; default 8080",
		"ports":                "Further ports, at which players reach the game",
		"cpus":                 "The number of CPUs that it may use; 0 is no limit",
		"memory_bytes":         "The memory that it may use; 0 is no limit",
		"request_cpus":         "The CPUs that it requests of its node; default cpus",
		"request_memory_bytes": "The memory that it requests of its node; default memory_bytes",
		"node_selector":        "The labels that the node must have, value by key",
		"tolerations":          "The taints of nodes on which it may run nevertheless",
		"spread_by":            "The label of nodes by which games are spread, such as zone: nodes are preferred whose value has the fewest games of the group",
		"spread_group":         "The label of games whose value is the group of spread_by; absent means all games of the region",
		"placement":            "Which of the nodes that can run it is selected: spread selects the node with the lowest share in use, pack the highest; default spread",
		"health_path":          "The path that returns 2xx when the game is healthy, or none; default /healthz",
		"health":               "The health check; absent means that of health_path",
		"health_timeout":       "How long a start waits for a healthy game, such as 30s",
		"stop_grace":           "How long a stop waits for the container to exit before it kills it, such as 10s",
		"stop_signal":          "The signal that a stop sends first, such as SIGINT; default: that of the image, or SIGTERM",
		"crash":                "The restarts after an exit that no operation caused",
		"on_node_lost":         "What happens to the game when its node is absent",
		"regions":              "The other regions in which the game may be started when its node is absent and no node of its region can run it, the preferred one first",
	}
}

func operationDescriptions() map[string]string {
	return map[string]string{
		"any_node":        "Whether the request named no node, so that a start which fails for a reason of its node continues on another one",
		"attempts":        "The nodes on which the operation failed before",
		"remaining_ms":    "Milliseconds until the deadline when another node handed the operation over; 0 if it is not known",
		"reserved":        "Whether its node has a reservation for it, which ends with it",
		"labels":          "The labels that it gives the game; absent if it keeps them",
		"metadata":        "The metadata that it gives the game; absent if it keeps it",
		"session":         "The revision of the node's presence under which it was accepted",
		"deadline":        "The time at which it is rolled back",
		"target":          "Of a move, the node that runs the game after it",
		"source_stopping": "Of a move, whether the former node of the game was requested to stop it",
		"preempted_by":    "The stop that follows it; absent if there is none",
		"step":            "The current step",
		"step_at":         "The time at which the step started",
		"spec":            "How the game is run after it",
		"previous_record": "The record before it",
		"region":          "The region of the node that executes it",
		"node":            "The node that executes it",
	}
}
