// Command init is the first and only process of the emulated machine of emulate.sh: it runs the test binary, prints how
// that ended and switches the machine off.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	for at, kind := range map[string]string{"/proc": "proc", "/sys": "sysfs", "/tmp": "tmpfs"} {
		if err := os.MkdirAll(at, 0o755); err != nil {
			fmt.Println("init:", err)
		}
		if err := syscall.Mount(kind, at, kind, 0, ""); err != nil {
			fmt.Println("init:", at, err)
		}
	}
	test := exec.Command("/worker.test", "-test.v", "-test.run=^TestRowsLieWithTheThreadsThatWalkThem$")
	test.Stdin, test.Stdout, test.Stderr = os.Stdin, os.Stdout, os.Stdout
	err := test.Run()
	fmt.Printf("init: tests ended with %d, error %v\n", test.ProcessState.ExitCode(), err)
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("init:", err)
	}
}
