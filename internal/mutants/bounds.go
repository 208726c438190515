package mutants

// bounds are breakages of limits and of what strangers may do.
func bounds() []Mutant {
	return []Mutant{
		{Name: "any-role-will-do", Breaks: "a certificate of any role may call every method", Holds: "TLS",
			Edits: []Edit{{"internal/secure/guard.go", "if slices.ContainsFunc(allowed, func(r Role) bool { return slices.Contains(roles, r) }) {",
				"if len(allowed) > 0 && slices.Contains(roles, roles[0]) {"}},
			Caught: []Tests{in("internal/secure", "TestEveryMethodAndRoleGiveTheTable")}},
		{Name: "unlisted-methods-are-open", Breaks: "a method that the table lacks may be called by all", Holds: "TLS",
			Edits:  []Edit{{"internal/secure/guard.go", "\troles := Roles()\n", "\tif len(allowed) == 0 {\n\t\treturn nil\n\t}\n\troles := Roles()\n"}},
			Caught: []Tests{in("internal/secure", "TestAMethodThatTheTableLacksIsRefused")}},
		{Name: "messages-of-any-size", Breaks: "the limit on the size of messages is not set", Holds: "I5",
			Edits:  []Edit{{"internal/secure/options.go", "grpc.MaxRecvMsgSize(l.Message),", "grpc.MaxRecvMsgSize(1 << 30),"}},
			Caught: []Tests{in("internal/secure", "TestAMessageOfTheLimitPassesAndOneMoreDoesNot")}},
		{Name: "paths-leave-the-roots", Breaks: "a path is not held against the data roots as it is written", Holds: "roots",
			Edits: []Edit{{"dataset/open/within.go", "if name, err := filepath.Rel(root.real, path); err == nil && filepath.IsLocal(name) {",
				"if name, err := filepath.Rel(root.real, path); err == nil {"},
				{"dataset/open/within.go", "if name, err := filepath.Rel(folder, path); err == nil && filepath.IsLocal(name) {", "if name, err := filepath.Rel(folder, path); err == nil {"}},
			Caught: []Tests{in("dataset/open", "TestAPlaceForAnOutputLiesWithinTheRoots")}},
		{Name: "a-window-of-any-size", Breaks: "a compressed sum may ask for a window of gigabytes", Holds: "I5",
			Edits:  []Edit{{"internal/wire/codec_sums.go", "\t\t\tzstd.WithDecoderMaxWindow(window), ", "\t\t\t"}},
			Caught: []Tests{in("internal/wire", "TestAWindowBeyondTheLimitIsRefusedWhateverTheSizeOfTheSums")}},
		{Name: "spilled-bytes-are-not-checked", Breaks: "a byte that changed on the spill disk is used", Holds: "I1",
			Edits:  []Edit{{"internal/spill/file.go", "crc32.Checksum(b, table) == e.sum {", "crc32.Checksum(b, table) == e.sum || len(b) > 0 {"}},
			Caught: []Tests{in("internal/spill", "TestAFlippedBitIsNoticedWhereverItIs")}},
	}
}
