from neumf_tui.cli.main import main

main()
