from neumf_tui.cli import main

main()
