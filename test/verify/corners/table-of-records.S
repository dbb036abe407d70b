/* Jumps by distances that lie in records of five bytes: struct { char cost; int off; }, packed. As gcc -Os -mtune=thead-c906 writes it, with two lla exchanged. */
	.option pic
	.attribute arch, "rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_zicsr2p0_zifencei2p0"
	.attribute unaligned_access, 1
	.attribute stack_align, 16
	.text
	.align	1
	.globl	run
	.type	run, @function
run:
	lla	a6,.L3
	li	a3,5
	lla	a4,.LANCHOR0
.L2:
	lbu	a5,0(a0)
	addi	a0,a0,1
	mul	a5,a5,a3
	add	a5,a4,a5
	lw	a5,1(a5)
	add	a5,a5,a6
	jr	a5
.L4:
	addi	a1,a1,3
.L5:
	add	a1,a1,a2
	xor	a1,a2,a1
	addi	a1,a1,7
	j	.L2
.L7:
	add	a2,a2,a1
	j	.L2
.L8:
	sub	a1,a1,a2
	j	.L2
.L3:
	add	a0,a1,a2
	ret
	.size	run, .-run
	.section	.rodata.str1.8,"aMS",@progbits,1
	.align	3
.LC0:
	.string	"%ld\n"
	.section	.text.startup,"ax",@progbits
	.align	1
	.globl	main
	.type	main, @function
main:
	addi	sp,sp,-48
	li	a4,4096
	sd	ra,40(sp)
	sd	s0,32(sp)
	sd	s1,24(sp)
	sd	s2,16(sp)
	sd	s3,8(sp)
	li	a5,0
	li	a6,3
	li	a7,1
	lla	a2,prog.0
	addi	a4,a4,-96
.L11:
	remw	a1,a5,a6
	li	a3,0
	beq	a1,zero,.L10
	li	a3,3
	bne	a1,a7,.L10
	li	a3,2
.L10:
	add	a1,a5,a2
	sb	a3,0(a1)
	addi	a5,a5,1
	bne	a5,a4,.L11
	li	a5,1
	ble	a0,a5,.L12
	li	a4,4096
	li	a5,0
	li	a1,1
	addi	a4,a4,-94
.L13:
	add	a3,a2,a5
	sb	a1,0(a3)
	addi	a5,a5,6
	bne	a5,a4,.L13
.L12:
	li	a5,4
	sb	a5,prog.0+4000,a4
	li	s1,0
	li	s0,0
	lla	s3,prog.0
	li	s2,20
.L14:
	mv	a2,s0
	mv	a1,s1
	mv	a0,s3
	call	run
	addi	s1,s1,1
	add	s0,s0,a0
	bne	s1,s2,.L14
	mv	a1,s0
	lla	a0,.LC0
	call	printf@plt
	ld	ra,40(sp)
	ld	s0,32(sp)
	ld	s1,24(sp)
	ld	s2,16(sp)
	ld	s3,8(sp)
	li	a0,0
	addi	sp,sp,48
	jr	ra
	.size	main, .-main
	.section	.rodata
	.align	3
	.set	.LANCHOR0,. + 0
	.type	ops.1, @object
	.size	ops.1, 25
ops.1:
	.byte	1
	.4byte	.L4-(.L3)
	.byte	2
	.4byte	.L5-(.L3)
	.byte	3
	.4byte	.L7-(.L3)
	.byte	4
	.4byte	.L8-(.L3)
	.byte	5
	.4byte	0
	.bss
	.align	3
	.type	prog.0, @object
	.size	prog.0, 4001
prog.0:
	.zero	4001
