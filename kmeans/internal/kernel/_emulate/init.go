// Command init is the first and only process of the emulated machine of emulate-avx512.sh: it runs the
// test binary, prints how that ended and waits.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

func main() {
	fmt.Println("init: starting the tests")
	test := exec.Command("/kernel.test", "-test.short", "-test.v", "-tier=avx512",
		"-test.run=TestTiersAgree|TestChanged|TestPack")
	test.Stdin, test.Stdout, test.Stderr = os.Stdin, os.Stdout, os.Stdout
	err := test.Run()
	fmt.Printf("init: tests ended with %d, error %v\n", test.ProcessState.ExitCode(), err)
	time.Sleep(time.Hour) // the script ends the emulator; a first process must not exit
}
