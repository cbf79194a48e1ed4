package drift_test

import (
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
)

// The record of a game is running, and the engine reports that its container exited.
func ExampleDetect() {
	exitCode := 1
	findings := drift.Detect(drift.Observation{
		GameID: "chess", Region: "eu", Node: "n1", Now: time.Now(),
		Record: &runtime.RuntimeRecord{
			GameID: "chess", Status: runtime.StatusRunning, Region: "eu", Node: "n1", CurrentContainerID: "c1", CurrentImageRef: "chess:1.0.0",
		},
		RecordRevision: 12,
		Containers: []container.Container{
			{ID: "c1", State: container.StateExited, ExitCode: &exitCode, Labels: container.Labels{GameID: "chess", Image: "chess:1.0.0"}},
		},
	})
	for _, f := range findings {
		fmt.Printf("%s at revision %d: %s\n", f.Kind, f.RecordRevision, f.Evidence)
		fmt.Println("proposed action:", f.Action)
	}
	// Output:
	// exited at revision 12: container c1 exited with code 1
	// proposed action: mark_stopped
}
